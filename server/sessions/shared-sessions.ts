import type { Redis } from '../redis/redis.ts';
import type { CheckedSession } from './model.ts';

/**
 * One hash for a user's sessions. It lives for the given time from its first entry on, so that no entry is believed for
 * longer than that; Redis's own clock decides, whatever the nodes' clocks say.
 */
const KEEP = `
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

/** What one node found out of a session, for the others to believe for a moment. Redis's absence is only a miss. */
export class SharedSessions {
  constructor(private readonly redis: Redis) {}

  async find(userId: string, sessionId: string): Promise<SharedSession | undefined> {
    if (!this.redis.isUp) return undefined;
    try {
      const [text, believedMs] = await this.redis.commands
        .multi()
        .hGet(keyOf(userId), sessionId)
        .pTTL(keyOf(userId))
        .execTyped();
      return text === null || believedMs <= 0 ? undefined : { session: JSON.parse(text), believedMs };
    } catch {
      return undefined; // the connection's own watcher says why; the database is asked instead
    }
  }

  keep(session: CheckedSession, milliseconds: number): void {
    if (!this.redis.isUp) return;
    const entry = [session.sessionId, JSON.stringify(session), String(milliseconds)];
    // Only a hint for the others: where it is lost they ask the database.
    this.redis.commands.eval(KEEP, { keys: [keyOf(session.userId)], arguments: entry }).catch(() => {});
  }

  /** Forgets a user's sessions, and keeps none of them for so long. What is not forgotten, as Redis is away, ends by itself. */
  forget(userId: string, milliseconds: number): void {
    if (!this.redis.isUp) return;
    const silence = { keys: [keyOf(userId)], arguments: [String(milliseconds)] };
    this.redis.commands.eval(FORGET, silence).catch(() => {});
  }
}

function keyOf(userId: string): string {
  return `sessions:${userId}`;
}
