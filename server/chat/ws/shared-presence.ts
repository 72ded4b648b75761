import type { PresenceStatus } from '../../../protocol/resources.ts';
import type { Logger } from '../../monitoring/logger.ts';
import type { Redis } from '../../redis/redis.ts';

export type Chosen = Exclude<PresenceStatus, 'offline'>;

/** A node that does not say for so long that it lives is dead, by Redis's own clock. */
const LIFE_MS = 15_000;
const BEAT_MS = 5000;
/** Users of a dead node whose leaving is told at once. */
const LEAVING_AT_ONCE = 200;
/** Users who are entered anew at once, after Redis was away. */
const ENTERING_AT_ONCE = 500;

/**
 * A user's hash has a field for each node on which they are, and one with what they chose. Entering answers how they are
 * to be seen already, or nothing where they were nowhere.
 */
const ENTER = `
local known = redis.call('EXISTS', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], '1')
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'status', ARGV[2]) end
if known == 0 then return '' end
return redis.call('HGET', KEYS[1], 'status') or 'online'
`;

/** Answers 1 where they were on no other node: then they are gone. */
const LEAVE = `
redis.call('HDEL', KEYS[1], ARGV[1])
local left = redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'status')
if left > 0 then return 0 end
redis.call('DEL', KEYS[1])
return 1
`;

export interface SharedPresenceHooks {
  /** Who is on this node, and how they are to be seen: said again to a Redis that forgot. */
  present(): Iterable<[userId: string, status: Chosen]>;
  /** They were on a node that died, and on no other. */
  lost(userId: string, lastSeenAt: number): void;
}

/**
 * Who is on which node, in Redis. Each node says every 5 s that it lives; whoever finds one that does not any more lets its
 * users leave. While Redis is away every node goes by what it knows itself, and when it is back all say again who is there.
 */
export class SharedPresence {
  private readonly node = Bun.randomUUIDv7();
  private readonly timer: Timer;
  private working: Promise<void> = Promise.resolve();
  private hooks: SharedPresenceHooks | undefined;

  constructor(
    private readonly redis: Redis,
    private readonly log: Logger,
  ) {
    this.timer = setInterval(() => this.enqueue(), BEAT_MS);
    redis.commands.on('ready', () => this.enqueue());
    this.enqueue();
  }

  begin(hooks: SharedPresenceHooks): void {
    this.hooks = hooks;
  }

  /** Somebody is on this node. Answers how they are to be seen already; nothing where that is news to all. */
  async enter(userId: string, chosen?: Chosen): Promise<Chosen | undefined> {
    if (!this.redis.isUp) return undefined;
    try {
      const [status] = await Promise.all([
        this.redis.commands.eval(ENTER, { keys: [keyOf(userId)], arguments: [this.node, chosen ?? ''] }),
        this.redis.commands.sAdd(usersOf(this.node), userId),
      ]);
      return (status as Chosen | '') || undefined;
    } catch {
      return undefined; // entered again when Redis is back
    }
  }

  /** They are on this node no more. Answers whether they are gone: on no other node, as far as can be known. */
  leave(userId: string): Promise<boolean> {
    return this.leaveNode(this.node, userId).catch(() => true);
  }

  async choose(userId: string, status: Chosen): Promise<void> {
    await this.enter(userId, status);
  }

  /** How some users are to be seen, by all nodes together; undefined where only this node can tell. */
  async find(userIds: string[]): Promise<Map<string, Chosen> | undefined> {
    if (!this.redis.isUp) return undefined;
    try {
      const hashes = await Promise.all(userIds.map((id) => this.redis.commands.hGetAll(keyOf(id))));
      const found = new Map<string, Chosen>();
      for (const [index, { status, ...nodes }] of hashes.entries()) {
        if (Object.keys(nodes).length > 0) found.set(userIds[index]!, (status as Chosen | undefined) ?? 'online');
      }
      return found;
    } catch {
      return undefined;
    }
  }

  /** Says no more that this node lives. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.hooks = undefined;
    await this.working;
  }

  private enqueue(): void {
    this.working = this.working.then(() => this.beat()).catch((error) => this.complain(error));
  }

  private complain(error: unknown): void {
    if (this.redis.isUp) this.log.warn({ err: error }, 'presence could not be shared');
  }

  private async beat(): Promise<void> {
    if (!this.redis.isUp) return;
    const { commands } = this.redis;
    await commands.set(lifeOf(this.node), '1', { expiration: { type: 'PX', value: LIFE_MS } });
    // New in the list: at the start, after Redis lost its memory, or because others took this node for dead.
    if ((await commands.sAdd('nodes', this.node)) === 1) await this.enterAll();
    for (const other of await commands.sMembers('nodes')) {
      if (other === this.node || (await commands.exists(lifeOf(other))) === 1) continue;
      // Of all that notice, one gets to do it; were it to die over that, another does later.
      const turn = { condition: 'NX', expiration: { type: 'PX', value: LIFE_MS } } as const;
      if ((await commands.set(`burial:${other}`, this.node, turn)) === 'OK') await this.bury(other);
    }
  }

  private async enterAll(): Promise<void> {
    const present = [...(this.hooks?.present() ?? [])];
    for (let index = 0; index < present.length; index += ENTERING_AT_ONCE) {
      const some = present.slice(index, index + ENTERING_AT_ONCE);
      // Online is what nobody needs to choose; another node may know better.
      await Promise.all(some.map(([id, status]) => this.enter(id, status === 'online' ? undefined : status)));
    }
  }

  private async bury(node: string): Promise<void> {
    const lastSeenAt = Date.now() - LIFE_MS;
    for (;;) {
      const users = await this.redis.commands.sPopCount(usersOf(node), LEAVING_AT_ONCE);
      const gone = await Promise.all(users.map((userId) => this.leaveNode(node, userId)));
      for (const [index, userId] of users.entries()) if (gone[index]) this.hooks?.lost(userId, lastSeenAt);
      if (users.length < LEAVING_AT_ONCE) break;
    }
    await this.redis.commands.sRem('nodes', node);
    this.log.info({ node }, 'a node is gone: its users are, where they are on no other');
  }

  private async leaveNode(node: string, userId: string): Promise<boolean> {
    const [gone] = await Promise.all([
      this.redis.commands.eval(LEAVE, { keys: [keyOf(userId)], arguments: [node] }),
      this.redis.commands.sRem(usersOf(node), userId),
    ]);
    return gone === 1;
  }
}

function keyOf(userId: string): string {
  return `here:${userId}`;
}

function usersOf(node: string): string {
  return `node-users:${node}`;
}

function lifeOf(node: string): string {
  return `node:${node}`;
}
