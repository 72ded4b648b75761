import type { PresenceStatus } from '../../protocol/resources.ts';
import type { Redis } from '../redis/redis.ts';
import { CoalescedTask } from '../shared/coalesced-task.ts';
import type { Logger } from '../shared/logger.ts';

export type Chosen = Exclude<PresenceStatus, 'offline'>;

/** A node that does not say for so long that it lives is dead, by Redis's own clock. */
const LIFE_MS = 15_000;
const BEAT_MS = 5000;
/** Users who are looked up, entered or let go of at once. */
const AT_ONCE = 500;
/** After Redis was away: until the other nodes have said again who is with them. */
const SETTLE_MS = 4000;

/**
 * A user's hash has a field for each node on which they are, and one with what they chose; a node's set names its users.
 * Entering answers how they are to be seen already, or nothing where they were nowhere.
 */
const ENTER = `
local known = redis.call('EXISTS', KEYS[1])
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], '1')
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'status', ARGV[2]) end
if known == 0 then return '' end
return redis.call('HGET', KEYS[1], 'status') or 'online'
`;

/** Answers 1 where they were on no other node: then they are gone. */
const LEAVE = `
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[2])
local left = redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'status')
if left > 0 then return 0 end
redis.call('DEL', KEYS[1])
return 1
`;

export interface SharedPresenceHooks {
  /** Who is on this node: said again to a Redis that forgot. */
  present(): Iterable<string>;
  /** How somebody is to be seen who is on this node at this moment; nothing where they are not. */
  statusOf(userId: string): Chosen | undefined;
  /** They are on this node, which the others did not know: Redis was away when they came, or forgot. */
  found(userId: string, status: Chosen): void;
  /** They are on no node any more: theirs died, or Redis was away when they left. */
  lost(userId: string, lastSeenAt: number): void;
  /** Redis was away for a while, and all nodes said again who is there: what was told meanwhile may be wrong. */
  returned(): void;
}

/**
 * Who is on which node, in Redis. Each node says every 5 s that it lives; whoever finds one that does not any more lets its
 * users leave. While Redis is away every node goes by what it knows itself, and when it is back all say again who is there.
 */
export class SharedPresence {
  private readonly node = Bun.randomUUIDv7();
  private readonly timer: Timer;
  private settling: Timer | undefined;
  /** Whether all who are here have to be entered: this connection has not done so yet. */
  private isBehind = true;
  private readonly beating = new CoalescedTask(
    () => this.beat(),
    (error) => this.complain(error),
  );
  private hooks: SharedPresenceHooks | undefined;

  constructor(
    private readonly redis: Redis,
    private readonly log: Logger,
  ) {
    this.timer = setInterval(() => this.beating.request(), BEAT_MS);
    redis.commands.on('ready', () => this.beating.request());
    redis.onReturn(() => this.settle());
    this.beating.request();
  }

  begin(hooks: SharedPresenceHooks): void {
    this.hooks = hooks;
  }

  /** Somebody is on this node. Answers how they are to be seen already; nothing where that is news to all. */
  async enter(userId: string, chosen?: Chosen): Promise<Chosen | undefined> {
    if (!this.redis.isUp) return undefined;
    try {
      const status = await this.redis.commands.eval(ENTER, {
        keys: [keyOf(userId), usersOf(this.node)],
        arguments: [this.node, chosen ?? '', userId],
      });
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
      const found = new Map<string, Chosen>();
      await inSteps(userIds, async (userId) => {
        const { status, ...nodes } = await this.redis.commands.hGetAll(keyOf(userId));
        if (Object.keys(nodes).length > 0) found.set(userId, (status as Chosen | undefined) ?? 'online');
      });
      return found;
    } catch {
      return undefined;
    }
  }

  /** Says no more that this node lives. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    clearTimeout(this.settling);
    this.hooks = undefined;
    await this.beating.idle();
  }

  private settle(): void {
    this.isBehind = true;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.hooks?.returned(), SETTLE_MS);
  }

  private complain(error: unknown): void {
    if (this.redis.isUp) this.log.warn({ err: error }, 'presence could not be shared');
  }

  private async beat(): Promise<void> {
    if (!this.redis.isUp) return;
    const { commands } = this.redis;
    await commands.set(lifeOf(this.node), '1', { expiration: { type: 'PX', value: LIFE_MS } });
    // New in the list: at the start, after Redis lost its memory, or because others took this node for dead.
    const isNew = (await commands.sAdd('nodes', this.node)) === 1;
    if (isNew) this.isBehind = true;
    if (this.isBehind) await this.catchUp();
    for (const other of await commands.sMembers('nodes')) {
      if (other === this.node || (await commands.exists(lifeOf(other))) === 1) continue;
      // Of all that notice, one gets to do it; were it to die over that, another does later.
      const turn = { condition: 'NX', expiration: { type: 'PX', value: LIFE_MS } } as const;
      if ((await commands.set(`burial:${other}`, this.node, turn)) === 'OK') await this.bury(other);
    }
  }

  private async catchUp(): Promise<void> {
    this.isBehind = false;
    try {
      await this.enterAll();
    } catch (error) {
      this.isBehind = true;
      throw error;
    }
  }

  /** Says who is here, and takes back who is not any more. */
  private async enterAll(): Promise<void> {
    const { hooks } = this;
    if (!hooks) return;
    // Each is looked at in the moment of the command: people come and go meanwhile.
    await inSteps(await this.redis.commands.sMembers(usersOf(this.node)), async (userId) => {
      if (hooks.statusOf(userId)) return;
      if (await this.leaveNode(this.node, userId)) hooks.lost(userId, Date.now());
    });
    await inSteps([...hooks.present()], async (userId) => {
      const status = hooks.statusOf(userId);
      if (!status) return;
      // Online is what nobody needs to choose; another node may know better.
      const seen = await this.enter(userId, status === 'online' ? undefined : status);
      if (!seen && this.redis.isUp) hooks.found(userId, status);
    });
  }

  private async bury(node: string): Promise<void> {
    const lastSeenAt = Date.now() - LIFE_MS;
    // Each is taken from the list with their leaving: were this node to die meanwhile, another goes on.
    await inSteps(await this.redis.commands.sMembers(usersOf(node)), async (userId) => {
      if (await this.leaveNode(node, userId)) this.hooks?.lost(userId, lastSeenAt);
    });
    await this.redis.commands.sRem('nodes', node);
    this.log.info({ node }, 'a node is gone: its users are, where they are on no other');
  }

  private async leaveNode(node: string, userId: string): Promise<boolean> {
    const gone = await this.redis.commands.eval(LEAVE, {
      keys: [keyOf(userId), usersOf(node)],
      arguments: [node, userId],
    });
    return gone === 1;
  }
}

/** Does something with each of many, so many of them at once that neither Redis nor the queue before it is overrun. */
async function inSteps<T>(all: T[], work: (one: T) => Promise<void>): Promise<void> {
  for (let index = 0; index < all.length; index += AT_ONCE) {
    await Promise.all(all.slice(index, index + AT_ONCE).map(work));
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
