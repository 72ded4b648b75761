import type { ClosedLoop, OpenLoop, Seat } from '../load/plan.ts';
import type { Server } from '../targets/server.ts';
import type { Target } from '../targets/target.ts';
import type { World } from '../world.ts';
import { type Bench, pace } from './scenario.ts';

/** The length of a message's text, in bytes. */
const CONTENT_BYTES = 160;

/** Messages that a sender keeps unanswered; the server allows 64. */
const WINDOW = 16;
const FANOUT_WINDOW = 32;

const DRAIN_MS = 15_000;

/** A sanity bound: no server here is as fast. */
const MAX_MESSAGES_A_SECOND = 200_000;

/** Whether the members of a conversation sit at different nodes, or all at one in the first half of the conversations. */
export type Where = 'apart' | 'half together';

/** Conversations of `world`, by index, with a socket for each member of each; the first member of each sends. */
async function talkOf(target: Target, server: Server, world: World, conversations: number[], where: Where = 'apart') {
  const seats: Seat[] = [];
  for (const [index, conversation] of conversations.entries()) {
    for (const [place, member] of world.conversations[conversation]!.members.entries()) {
      const isTogether = where === 'half together' && index < conversations.length / 2;
      const url = server.urls[(isTogether ? index : index + place) % server.urls.length];
      seats.push({ ...(await target.connection(world, member)), url, conversation: index, sends: place === 0 });
    }
  }
  return {
    dialect: target.dialect,
    url: server.url,
    server_pid: server.pid,
    beside_pid: server.beside_pid,
    others: server.others,
    conversations: conversations.map((index) => {
      const { id, seq } = world.conversations[index]!;
      return { id, seq: target.name === 'parley' ? seq : 0 };
    }),
    seats,
    content_bytes: CONTENT_BYTES,
    drain_ms: DRAIN_MS,
  };
}

/** Every sender as fast as it is answered. */
export async function closedLoop(
  bench: Bench,
  target: Target,
  server: Server,
  world: World,
  conversations: number[],
): Promise<ClosedLoop> {
  const isFanout = world.conversations[conversations[0]!]!.members.length > 2;
  const time = pace(bench);
  return {
    load: 'closed',
    ...(await talkOf(target, server, world, conversations)),
    ...time,
    window: isFanout ? FANOUT_WINDOW : WINDOW,
    full_check_every: isFanout ? 64 : 1,
    max_messages: ((time.warm_ms + time.measure_ms) * MAX_MESSAGES_A_SECOND) / 1000,
  };
}

/** All senders together, so many a second, by the clock. Beside several nodes the generator has no core to itself. */
export async function openLoop(
  bench: Bench,
  target: Target,
  server: Server,
  world: World,
  conversations: number[],
  perSecond: number,
  where?: Where,
): Promise<OpenLoop> {
  const talk = await talkOf(target, server, world, conversations, where);
  const split = where === 'half together' ? conversations.length / 2 : undefined;
  const sleeps = server.urls.length > 1;
  return { load: 'open', ...talk, ...pace(bench), per_second: perSecond, split, sleeps };
}

export function all(world: World): number[] {
  return world.conversations.map((_, index) => index);
}
