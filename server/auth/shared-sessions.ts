import type { Redis } from '../redis/redis.ts';
import type { CheckedSession } from './model.ts';

/**
 * One hash for a user's sessions. It lives for the given time from its first entry on, so that no entry is believed for
 * longer than that; Redis's own clock decides, whatever the nodes' clocks say.
 */
const KEEP = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
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

  /** What is not forgotten, because Redis is away, ends by itself. */
  forget(userId: string): void {
    if (this.redis.isUp) this.redis.commands.del(keyOf(userId)).catch(() => {});
  }
}

function keyOf(userId: string): string {
  return `sessions:${userId}`;
}
