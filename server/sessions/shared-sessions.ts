import type { Redis } from '../redis/redis.ts';
import type { Seal } from '../redis/seal.ts';
import type { CheckedSession } from './model.ts';

/** Letters of an entry, at most: a longer one is none of ours. */
const MAX_ENTRY = 4096;

/** Answers an entry, and nothing for what is too long to be one. */
const FIND = `
local length = redis.call('HSTRLEN', KEYS[1], ARGV[1])
if length == 0 then return nil end
if length > tonumber(ARGV[2]) then return 0 end
return redis.call('HGET', KEYS[1], ARGV[1])
`;

/** One hash for a user's sessions. It lives for the given time from its first entry on, so that nothing piles up in it. */
const KEEP = `
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
if redis.call('HEXISTS', KEYS[1], '') == 1 then return end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
`;

/**
 * Leaves a hash that takes nothing in, under a name that no session has: a node that read a session before it ended may
 * come to share it only after that.
 */
const FORGET = `
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], '', '')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
`;

/** A session that another node found to hold, and for how many milliseconds more that may be believed. */
export interface SharedSession {
  session: CheckedSession;
  believedMs: number;
}

/** What is sealed. */
interface Entry {
  session: CheckedSession;
  /** When the database was asked, by its own clock. */
  asked_at: number;
}

/**
 * What one node found out of a session, for the others to believe for a moment. Redis's absence is only a miss.
 *
 * An entry is sealed for its user and its session, and bears the moment at which the database was asked, by the clock that nodes share.
 * So neither one that somebody made is believed, nor one that was moved elsewhere, nor one that was put there again after the
 * session ended: not for longer than where nothing is wrong.
 */
export class SharedSessions {
  private readonly seal: Seal;

  constructor(
    private readonly redis: Redis,
    /** For how long what was found is believed, in milliseconds. */
    private readonly believedMs: number,
  ) {
    this.seal = redis.sealOf('sessions');
  }

  /** The moment by which `keep` says how old its word is: to be taken before the database is asked. */
  now(): number {
    return this.redis.clock.now();
  }

  async find(userId: string, sessionId: string): Promise<SharedSession | undefined> {
    if (!this.redis.isUp) return undefined;
    try {
      const text = await this.redis.commands.eval(FIND, {
        keys: [keyOf(userId)],
        arguments: [sessionId, String(MAX_ENTRY)],
      });
      if (typeof text === 'string') return this.open(text, userId, sessionId);
      if (text === 0) this.redis.refuse('session', 'oversized');
      return undefined;
    } catch {
      return undefined; // the connection's own watcher says why; the database is asked instead
    }
  }

  /** Tells the others what the database said of a session when it was asked at `askedAt`. */
  keep(session: CheckedSession, askedAt: number): void {
    if (!this.redis.isUp) return;
    const { userId, sessionId } = session;
    const text = JSON.stringify({ session, asked_at: askedAt } satisfies Entry);
    const entry = [sessionId, this.seal.of(this.placeOf(userId, sessionId), text) + text, String(this.believedMs)];
    // Only a hint for the others: where it is lost they ask the database.
    this.redis.commands.eval(KEEP, { keys: [keyOf(userId)], arguments: entry }).catch(() => {});
  }

  /** Forgets a user's sessions, and keeps none of them for a moment. What is not forgotten, as Redis is away, ends by itself. */
  forget(userId: string): void {
    if (!this.redis.isUp) return;
    const silence = { keys: [keyOf(userId)], arguments: [String(this.believedMs)] };
    this.redis.commands.eval(FORGET, silence).catch(() => {});
  }

  private open(entry: string, userId: string, sessionId: string): SharedSession | undefined {
    const [seal, text] = [entry.slice(0, this.seal.length), entry.slice(this.seal.length)];
    if (!this.seal.holds(seal, this.placeOf(userId, sessionId), text)) {
      this.redis.refuse('session', 'forged');
      return undefined;
    }
    const { session, asked_at } = JSON.parse(text) as Entry;
    const believedMs = Math.min(asked_at + this.believedMs - this.now(), this.believedMs);
    if (believedMs > 0) return { session, believedMs };
    // A hash ends after so long by itself: somebody keeps it, or put this back.
    if (believedMs < -this.believedMs) this.redis.refuse('session', 'late');
    return undefined;
  }

  private placeOf(userId: string, sessionId: string): string {
    return `${this.redis.prefix}${keyOf(userId)} ${sessionId}`;
  }
}

function keyOf(userId: string): string {
  return `sessions:${userId}`;
}
