import type { Redis } from '../redis/redis.ts';

/** Entries added by one burst of commands. */
const ADDED_AT_ONCE = 500;
/** Workers that are looked at for whether they are gone. */
const FORGOTTEN_AT_ONCE = 100;
/** The key of the stream. */
export const STREAM = 'events';
/** A set for each group: a word for every time that it lost entries to a trim. */
export const behindKey = (group: string) => `${STREAM}:behind:${group}`;
/** The stream of a version that had one for each consumer, which nobody reads any more. */
const OLD_STREAM = 'jobs:webhooks';
/** The field of an entry that names the conversation. */
export const FIELD = 'c';

/**
 * The stream of hints for all consumers (Redis Streams), from the side that fills it; each consumer has a group in it
 * (stream-group.ts). Nobody deletes what is done: the oldest go when there are too many. It may be lost with all that is in
 * it: it is a way for hints, and the only copy of nothing.
 */
export class JobStream {
  constructor(private readonly redis: Redis) {}

  get isUp(): boolean {
    return this.redis.isUp;
  }

  /** Calls `hear` whenever the connection has come back: what the stream held may be gone. */
  onBack(hear: () => void): void {
    this.redis.commands.on('ready', hear);
  }

  /**
   * Takes the stream away where nothing can be added to it for ever: there is something else at its key, or its last possible
   * id is used up. Nobody here does either. Answers whether it was so.
   */
  async mend(failure: unknown): Promise<boolean> {
    if (!isReply(failure, 'WRONGTYPE') && !isReply(failure, 'ERR The stream has exhausted')) return false;
    this.redis.refuse('stream', 'malformed');
    await this.redis.commands.del(STREAM);
    return true;
  }

  /** Makes the stream and a group. True where there was none: then all that it held is gone. */
  async create(group: string): Promise<boolean> {
    try {
      await this.redis.commands.xGroupCreate(STREAM, group, '0', { MKSTREAM: true });
      return true;
    } catch (error) {
      if (isReply(error, 'BUSYGROUP')) return false;
      throw error;
    }
  }

  async add(conversationIds: string[]): Promise<void> {
    for (let start = 0; start < conversationIds.length; start += ADDED_AT_ONCE) {
      const some = conversationIds.slice(start, start + ADDED_AT_ONCE);
      await Promise.all(some.map((id) => this.redis.commands.xAdd(STREAM, '*', { [FIELD]: id })));
    }
  }

  /**
   * Lets the oldest go beyond so many, roughly. Of `groups`, those that had not read all of them are told that they are behind,
   * and answered. Where this breaks off in between, the relay compares everything.
   */
  async trim(length: number, groups: string[]): Promise<string[]> {
    const { commands } = this.redis;
    if ((await commands.xLen(STREAM)) <= length) return [];
    // First where the groups are: they only go on, so that whoever loses something is seen to be behind it.
    const before = await commands.xInfoGroups(STREAM);
    if ((await commands.xTrim(STREAM, 'MAXLEN', length, { strategyModifier: '~' })) === 0) return [];
    const [first] = (await commands.xRange(STREAM, '-', '+', { COUNT: 1 })) ?? [];
    const behind = before
      .filter((group) => groups.includes(group.name) && first && isBefore(group['last-delivered-id'], first.id))
      .map(({ name }) => name);
    for (const name of behind) await commands.sAdd(behindKey(name), Bun.randomUUIDv7());
    return behind;
  }

  /** Forgets workers of a group that are gone, and held nothing, for so long. */
  async forgetWorkers(group: string, goneMs: number): Promise<void> {
    const { commands } = this.redis;
    const workers = await commands.xInfoConsumers(STREAM, group);
    for (const { name, pending, idle } of workers.slice(0, FORGOTTEN_AT_ONCE)) {
      if (pending === 0 && idle > goneMs) await commands.xGroupDelConsumer(STREAM, group, name);
    }
  }

  /** Takes away what a version before left. */
  async forgetOldStream(): Promise<void> {
    await this.redis.commands.del(OLD_STREAM);
  }
}

/** Ids of entries: the milliseconds at which they came, and a number. */
function isBefore(one: string, other: string): boolean {
  const [ms = 0, number = 0] = one.split('-').map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split('-').map(Number);
  return ms < otherMs || (ms === otherMs && number < otherNumber);
}

export function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code);
}
