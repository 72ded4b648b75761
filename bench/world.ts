import { id } from './ids.ts';

/**
 * Who exists and who talks with whom, before a measurement begins. Each server is given the same world in its own way:
 * Parley as rows of its database, the peers as a request.
 */
export interface World {
  users: BenchUser[];
  conversations: BenchConversation[];
}

export interface BenchUser {
  id: string;
  session_id: string;
  /** All of one length, so that frames are. */
  username: string;
}

export interface BenchConversation {
  id: string;
  type: 'direct' | 'group';
  /** Indexes into `World.users`; the first one sends. */
  members: number[];
  /** Messages that are stored already, and so the number of the newest one. */
  seq: number;
}

function user(index: number): BenchUser {
  return {
    id: id('user', index),
    session_id: id('session', index),
    username: `user_${String(index).padStart(7, '0')}`,
  };
}

const users = (count: number) => Array.from({ length: count }, (_, index) => user(index));

/** Conversations of two, nobody in two of them, `messages` of history spread evenly over all. */
export function pairsWorld(pairs: number, messages: number): World {
  const conversations = Array.from({ length: pairs }, (_, index): BenchConversation => {
    const seq = Math.floor(((index + 1) * messages) / pairs) - Math.floor((index * messages) / pairs);
    return { id: id('conversation', index), type: 'direct', members: [2 * index, 2 * index + 1], seq };
  });
  return { users: users(2 * pairs), conversations };
}

/** One group that everybody is in. */
export function groupWorld(members: number): World {
  const everyone = Array.from({ length: members }, (_, index) => index);
  return {
    users: users(members),
    conversations: [{ id: id('conversation', 0), type: 'group', members: everyone, seq: 1 }],
  };
}

/**
 * One user, the first one, in `conversations` direct conversations with different people, each of `messages`.
 */
export function hubWorld(conversations: number, messages: number): World {
  const spokes = Array.from({ length: conversations }, (_, index): BenchConversation => {
    return { id: id('conversation', index), type: 'direct', members: [0, index + 1], seq: messages };
  });
  return { users: users(conversations + 1), conversations: spokes };
}

/**
 * One who attacks, and others who chat: `pairs` of two; after them one user who is in `conversations` direct conversations
 * with people who do nothing else, the first of which holds `history` messages.
 */
export function attackedWorld(pairs: number, conversations: number, history: number): World {
  const attacker = 2 * pairs;
  const talking = pairsWorld(pairs, pairs).conversations;
  const owned = Array.from({ length: conversations }, (_, index): BenchConversation => {
    const members = [attacker, attacker + 1 + index];
    return { id: id('conversation', pairs + index), type: 'direct', members, seq: index === 0 ? history : 1 };
  });
  return { users: users(attacker + 1 + conversations), conversations: [...talking, ...owned] };
}

/**
 * Communities of `community` people who know nobody outside; in each of them everybody is in `each` groups of `size`, with
 * other people in nearly every one: in round r they are dealt out in another order. Each group holds `messages`.
 */
export function crowdWorld(communities: number, community: number, each: number, size: number, messages = 1): World {
  const conversations: BenchConversation[] = [];
  for (let first = 0; first < communities * community; first += community) {
    for (let round = 0; round < each; round++) {
      const stride = coprimeStride(community, round);
      for (let seat = 0; seat < community; seat += size) {
        const members = Array.from(
          { length: size },
          (_, next) => first + (((seat + next) * stride + round) % community),
        );
        conversations.push({ id: id('conversation', conversations.length), type: 'group', members, seq: messages });
      }
    }
  }
  return { users: users(communities * community), conversations };
}

/** The `round`-th stride that visits everybody once. */
function coprimeStride(count: number, round: number): number {
  for (let stride = 1, found = 0; ; stride++) {
    if (greatestCommonDivisor(stride, count) === 1 && found++ === round) return stride;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
