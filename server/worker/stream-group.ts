import { Id } from '../../protocol/schemas.ts';
import type { Redis, RedisClient } from '../redis/redis.ts';
import { behindKey, FIELD, isReply, STREAM } from './job-stream.ts';

/** Words that a group is behind, at most: it is told once a trim, so that more are none of ours. */
const MAX_BEHIND = 1000;
/** Entries that are looked through for how many a group has left to read, where Redis does not count them. */
const COUNTED = 1000;

/** An entry of the stream: a conversation in which something may have happened. */
export interface StreamEntry {
  id: string;
  conversationId: string;
}

export interface GroupState {
  /** Entries that the group has not done. */
  length: number;
  /** For how long the oldest of them has waited, in milliseconds. */
  oldestMs: number;
  /** A word for each time that entries were trimmed away before the group had read them. */
  behind: string[];
}

/** A consumer's group in the stream: its workers share the entries, and other groups have their own. */
export class StreamGroup {
  /** Reading waits for entries, and other commands must not wait for that. */
  private readonly reader: RedisClient;
  /** This process in the group. */
  private readonly name = Bun.randomUUIDv7();

  constructor(
    private readonly redis: Redis,
    readonly group: string,
  ) {
    this.reader = redis.open(`jobs-${group}`);
  }

  get isUp(): boolean {
    return this.redis.isUp && this.reader.isReady;
  }

  /** At most `limit` entries that nobody was given, or none after `waitMs`. Where there is no group there is nothing. */
  async read(limit: number, waitMs: number): Promise<StreamEntry[]> {
    const from = { key: STREAM, id: '>' };
    const options = { COUNT: limit, BLOCK: Math.max(1, Math.round(waitMs)) };
    try {
      const streams = await this.reader.xReadGroup(this.group, this.name, from, options);
      return this.toEntries((streams ?? []).flatMap(({ messages }) => messages));
    } catch (error) {
      if (!isNone(error)) throw error;
      await Bun.sleep(waitMs);
      return [];
    }
  }

  /** Entries that a worker was given so long ago that it is taken for dead; `isCut` where some of them were trimmed away. */
  async takeOver(limit: number, idleMs: number): Promise<{ entries: StreamEntry[]; isCut: boolean }> {
    try {
      const answer = await this.redis.commands.xAutoClaim(STREAM, this.group, this.name, idleMs, '0', { COUNT: limit });
      const { messages, deletedMessages = [] } = answer;
      const hasNulls = messages.some((one) => one === null);
      if (hasNulls) await this.forgetCut();
      return { entries: this.toEntries(messages), isCut: hasNulls || deletedMessages.length > 0 };
    } catch (error) {
      if (isNone(error)) return { entries: [], isCut: false };
      throw error;
    }
  }

  /** An entry is no longer needed by this group. */
  async done(id: string): Promise<void> {
    await this.redis.commands.xAck(STREAM, this.group, id);
  }

  async state(): Promise<GroupState> {
    const { commands } = this.redis;
    const [groups, now, behind] = await Promise.all([this.groups(), commands.time(), this.behind()]);
    const mine = groups.find(({ name }) => name === this.group);
    if (!mine) return { length: 0, oldestMs: 0, behind };
    const [unread, given] = await Promise.all([
      commands.xRange(STREAM, `(${mine['last-delivered-id']}`, '+', {
        COUNT: typeof mine.lag === 'number' ? 1 : COUNTED,
      }),
      mine.pending > 0 ? commands.xPending(STREAM, this.group) : undefined,
    ]);
    // An id begins with when it was added, by Redis' clock.
    const ids = [unread?.[0]?.id, given?.firstId].flatMap((id) => id ?? []);
    const oldestAt = Math.min(...ids.map((id) => Number(id.split('-')[0])));
    return {
      length: mine.pending + (mine.lag ?? unread?.length ?? 0),
      oldestMs: ids.length === 0 ? 0 : Math.max(0, toMilliseconds(now) - oldestAt),
      behind,
    };
  }

  /** What the group had lost by then is found again by its cursors. */
  async caughtUp(behind: string[]): Promise<void> {
    if (behind.length > 0) await this.redis.commands.sRem(behindKey(this.group), behind);
  }

  /** Redis 6.2 keeps what was given and then trimmed away, and answers null for it again and again. */
  private async forgetCut(): Promise<void> {
    const { commands } = this.redis;
    const [first] = (await commands.xRange(STREAM, '-', '+', { COUNT: 1 })) ?? [];
    const given = await commands.xPendingRange(STREAM, this.group, '-', first ? `(${first.id}` : '+', COUNTED);
    const ids = given.map(({ id }) => id);
    if (ids.length > 0) await commands.xAck(STREAM, this.group, ids);
  }

  private async behind(): Promise<string[]> {
    const { commands } = this.redis;
    const key = behindKey(this.group);
    try {
      const words = await commands.sRandMemberCount(key, MAX_BEHIND);
      // One comparison makes all of them good.
      if (words.length === MAX_BEHIND) await commands.del(key);
      return words;
    } catch (error) {
      if (!isReply(error, 'WRONGTYPE')) throw error;
      this.redis.refuse('stream', 'malformed');
      await commands.del(key);
      return [];
    }
  }

  /**
   * The conversations that entries name. An entry that names none is done at once, or it would come again for ever. They are
   * not sealed: one that somebody made has a worker look where there is nothing new.
   */
  private toEntries(messages: ({ id: string; message: Record<string, string> } | null)[]): StreamEntry[] {
    return messages.flatMap((one) => {
      if (one === null) return [];
      const conversation = Id.safeParse(one.message[FIELD]);
      if (conversation.success) return { id: one.id, conversationId: conversation.data };
      this.redis.refuse('hint', 'malformed');
      this.done(one.id).catch(() => {}); // given to this worker, it comes again, and is dropped again
      return [];
    });
  }

  private async groups() {
    try {
      return await this.redis.commands.xInfoGroups(STREAM);
    } catch (error) {
      // There is no stream, or something else in its place, which the relay takes away.
      if (isReply(error, 'ERR') || isReply(error, 'WRONGTYPE')) return [];
      throw error;
    }
  }
}

/** There is no such group, or something else than a stream in its place: the relay makes it anew. */
function isNone(error: unknown): boolean {
  return isReply(error, 'NOGROUP') || isReply(error, 'WRONGTYPE');
}

function toMilliseconds([seconds, microseconds]: readonly string[]): number {
  return Number(seconds) * 1000 + Number(microseconds) / 1000;
}
