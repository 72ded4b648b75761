import type { Redis, RedisClient } from '../redis/redis.ts';

/** Entries added by one burst of commands. */
const ADDED_AT_ONCE = 500;
/** The field of an entry that names the conversation. */
const FIELD = 'c';

/** An entry of the stream: a conversation that may have new messages. */
export interface StreamEntry {
  id: string;
  conversationId: string;
}

export interface StreamState {
  /** Entries that are not done. */
  length: number;
  /** For how long the oldest of them has waited, in milliseconds. */
  oldestMs: number;
}

/**
 * The stream of one consumer's hints, and its group of workers (Redis Streams). Entries are deleted when they are done, so
 * that its length is what is left to do. It may be lost with all that is in it: it is a way for hints, and the only copy of
 * nothing.
 */
export class JobStream {
  private readonly key: string;
  /** Reading waits for entries, and other commands must not wait for that. */
  private readonly reader: RedisClient;
  /** This process in the group. */
  private readonly name = Bun.randomUUIDv7();

  constructor(
    private readonly redis: Redis,
    private readonly group: string,
  ) {
    this.key = `jobs:${group}`;
    this.reader = redis.open(`jobs-${group}`);
  }

  get isUp(): boolean {
    return this.redis.isUp && this.reader.isReady;
  }

  /** Calls `hear` whenever the connection has come back: what the stream held may be gone. */
  onBack(hear: () => void): void {
    this.redis.commands.on('ready', hear);
  }

  /** Makes the stream and its group. True where there was none: then all that it held is gone. */
  async create(): Promise<boolean> {
    try {
      await this.redis.commands.xGroupCreate(this.key, this.group, '0', { MKSTREAM: true });
      return true;
    } catch (error) {
      if (isReply(error, 'BUSYGROUP')) return false;
      throw error;
    }
  }

  async add(conversationIds: string[]): Promise<void> {
    for (let start = 0; start < conversationIds.length; start += ADDED_AT_ONCE) {
      const some = conversationIds.slice(start, start + ADDED_AT_ONCE);
      await Promise.all(some.map((id) => this.redis.commands.xAdd(this.key, '*', { [FIELD]: id })));
    }
  }

  /** At most `limit` entries that nobody was given, or none after `waitMs`. Where there is no group there is nothing. */
  async read(limit: number, waitMs: number): Promise<StreamEntry[]> {
    const from = { key: this.key, id: '>' };
    const options = { COUNT: limit, BLOCK: Math.max(1, Math.round(waitMs)) };
    try {
      const streams = await this.reader.xReadGroup(this.group, this.name, from, options);
      return toEntries((streams ?? []).flatMap(({ messages }) => messages));
    } catch (error) {
      if (!isReply(error, 'NOGROUP')) throw error;
      await Bun.sleep(waitMs);
      return [];
    }
  }

  /** Entries that a worker was given so long ago that it is taken for dead. */
  async takeOver(limit: number, idleMs: number): Promise<StreamEntry[]> {
    try {
      const { messages } = await this.redis.commands.xAutoClaim(this.key, this.group, this.name, idleMs, '0', {
        COUNT: limit,
      });
      return toEntries(messages);
    } catch (error) {
      if (isReply(error, 'NOGROUP')) return [];
      throw error;
    }
  }

  /** An entry is no longer needed. */
  async done(id: string): Promise<void> {
    await this.redis.commands.xAck(this.key, this.group, id);
    await this.redis.commands.xDel(this.key, id);
  }

  async state(): Promise<StreamState> {
    const { commands } = this.redis;
    const [length, entries, now] = await Promise.all([
      commands.xLen(this.key),
      commands.xRange(this.key, '-', '+', { COUNT: 1 }),
      commands.time(),
    ]);
    // An id begins with when it was added, by Redis' clock.
    const oldest = entries?.[0];
    return { length, oldestMs: oldest ? Math.max(0, toMilliseconds(now) - Number(oldest.id.split('-')[0])) : 0 };
  }

  /** Forgets workers that are gone, and held nothing, for so long. */
  async forgetWorkers(goneMs: number): Promise<void> {
    const { commands } = this.redis;
    for (const { name, pending, idle } of await commands.xInfoConsumers(this.key, this.group)) {
      if (pending === 0 && idle > goneMs) await commands.xGroupDelConsumer(this.key, this.group, name);
    }
  }
}

function toEntries(messages: ({ id: string; message: Record<string, string> } | null)[]): StreamEntry[] {
  return messages.flatMap((one) => (one?.message[FIELD] ? { id: one.id, conversationId: one.message[FIELD] } : []));
}

function toMilliseconds([seconds, microseconds]: readonly string[]): number {
  return Number(seconds) * 1000 + Number(microseconds) / 1000;
}

function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code);
}
