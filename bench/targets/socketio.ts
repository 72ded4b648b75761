import { fileURLToPath } from 'node:url';
import { introduceToPeer } from './introduce.ts';
import type { Target } from './target.ts';

/** Socket.IO on Node, in memory. */
export const socketio: Target = {
  name: 'socketio',
  label: 'Socket.IO',
  dialect: 'socketio',
  async prepare() {},
  command: () => ({
    command: ['node', fileURLToPath(new URL('../peers/socketio.mjs', import.meta.url))],
    env: { NODE_ENV: 'production' },
  }),
  introduce: introduceToPeer,
  connection: async (world, user) => ({
    path: '/socket.io/?EIO=4&transport=websocket',
    headers: {},
    greeting: `40${JSON.stringify({ user: world.users[user]!.id })}`,
  }),
};
