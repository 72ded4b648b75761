import { fileURLToPath } from 'node:url';
import { introduceToPeer } from './introduce.ts';
import type { Target } from './target.ts';

/** The hot path alone, on Parley's own stack. */
export const floor: Target = {
  name: 'floor',
  label: 'floor',
  dialect: 'parley',
  async prepare() {},
  command: (dir) => ({
    command: [process.execPath, fileURLToPath(new URL('../peers/floor.ts', import.meta.url))],
    env: { DATA_DIR: dir },
  }),
  introduce: introduceToPeer,
  connection: async (world, user) => ({ path: `/ws?user=${world.users[user]!.id}`, headers: {} }),
};
