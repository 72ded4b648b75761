import { burstOf } from './burst.ts';
import type { World } from './world.ts';

/** What goes wrong with connections and servers. Publications go wrong in the server's own bus. */

const AWAY_MS = { min: 100, spread: 1200 };
const RETURN_MS = { min: 50, spread: 200 };

type Fault = (world: World) => Promise<boolean> | boolean;

export const FAULTS = {
  'socket cut'(world) {
    return world.random.pick(world.clients)!.network.cut() > 0;
  },

  'all sockets of a person cut'(world) {
    const person = world.random.pick(world.people)!;
    const networks = world.clients.filter((client) => client.person === person).map((client) => client.network);
    return [person.desk, ...networks].map((network) => network.cut()).some((count) => count > 0);
  },

  /** Requests that are under way are answered, and nobody hears it. */
  'client offline for a while'(world) {
    const { network } = world.random.pick(world.clients)!;
    if (network.isDown) return false;
    network.goDown();
    const ms = AWAY_MS.min + world.random.int(AWAY_MS.spread);
    world.meanwhile(Bun.sleep(ms).then(() => network.goUp()));
    return true;
  },

  'connection cut at once after it is back'(world) {
    const { network } = world.random.pick(world.clients)!;
    if (network.isDown) return false;
    network.cut();
    const ms = RETURN_MS.min + world.random.int(RETURN_MS.spread);
    world.meanwhile(Bun.sleep(ms).then(() => network.cut()));
    return true;
  },
} satisfies Record<string, Fault>;

/** The server goes, with what is under way, and comes back on the same data. */
export async function restart(world: World, how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  await world.host.restart(how);
  world.did(`restart by ${how}`);
}

/** More changes than are ever told one by one, while somebody is away. */
export async function fallBehind(world: World): Promise<void> {
  const room = world.group();
  const speaker = world.member(room);
  const client = world.random.pick(
    world.clients.filter(({ person }) => person !== speaker && room?.members.has(person)),
  );
  if (!room || !speaker || !client) return;
  client.network.goDown();
  await burstOf(world, room, speaker);
  client.network.goUp();
  world.did('burst while somebody was away');
}
