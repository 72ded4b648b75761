import type { PresenceStatus } from '../../protocol/resources.ts';
import { Id } from '../../protocol/schemas.ts';
import type { Redis } from '../redis/redis.ts';
import { CoalescedTask } from '../shared/coalesced-task.ts';
import type { Logger } from '../shared/logger.ts';

export type Chosen = Exclude<PresenceStatus, 'offline'>;

/** A node that does not say for so long that it lives is dead, by Redis's own clock. */
const LIFE_MS = 15_000;
const BEAT_MS = 5000;
/** Users who are looked up, entered or let go of at once. */
const AT_ONCE = 500;
/** Nodes that one look takes from the list, and how often so many users of a dead one are let go of in one turn. */
const MAX_NODES = 200;
const MAX_TURNS = 200;
/** After Redis was away: until the other nodes have said again who is with them. */
const SETTLE_MS = 4000;

/** Whatever else somebody put at a key goes, or each command there would fail for ever. */
const OWN = `
local function own(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
end
`;

/** Answers 1 where a node was not in the list. */
const ENLIST = `${OWN}
own(KEYS[1], 'set')
own(KEYS[2], 'set')
return redis.call('SADD', KEYS[1], ARGV[1])
`;

/** Some of a node's users. */
const SOME = `${OWN}
own(KEYS[1], 'set')
return redis.call('SRANDMEMBER', KEYS[1], ARGV[1])
`;

/**
 * A user's hash has a field for each node on which they are, and one with what they chose; a node's set names its users.
 * Entering answers how they are to be seen already, or nothing where they were nowhere.
 */
const ENTER = `${OWN}
own(KEYS[1], 'hash')
own(KEYS[2], 'set')
local known = redis.call('EXISTS', KEYS[1])
redis.call('SADD', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], '1')
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'status', ARGV[2]) end
if known == 0 then return '' end
if redis.call('HSTRLEN', KEYS[1], 'status') > 10 then return 'online' end
return redis.call('HGET', KEYS[1], 'status') or 'online'
`;

/** Answers 1 where they were on no other node: then they are gone. */
const LEAVE = `${OWN}
own(KEYS[1], 'hash')
own(KEYS[2], 'set')
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[2])
local left = redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], 'status')
if left > 0 then return 0 end
redis.call('DEL', KEYS[1])
return 1
`;

/** Answers for each user how they are to be seen, or '' where they are nowhere: no more than that, whatever a hash holds. */
const FIND = `
local found = {}
for index, key in ipairs(KEYS) do
  local status = ''
  if redis.call('TYPE', key).ok == 'hash' then
    local chosen = redis.call('HEXISTS', key, 'status')
    if redis.call('HLEN', key) > chosen then status = 'online' end
    if status ~= '' and chosen == 1 and redis.call('HSTRLEN', key, 'status') <= 10 then
      status = redis.call('HGET', key, 'status')
    end
  end
  found[index] = status
end
return found
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
 * Who is on which node, in Redis. It is not sealed: it shows no content and gives no rights, and whoever can write there can say
 * that somebody is online. What it holds is bounded, and of another kind or shape it is dropped. Each node says every 5 s that it lives; whoever finds one that does not any more lets its
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
      return toChosen(status);
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
      for (let index = 0; index < userIds.length; index += AT_ONCE) {
        const some = userIds.slice(index, index + AT_ONCE);
        const statuses = (await this.redis.commands.eval(FIND, { keys: some.map(keyOf) })) as unknown[];
        for (const [place, userId] of some.entries()) {
          const status = toChosen(statuses[place]);
          if (status) found.set(userId, status);
        }
      }
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
    const lists = { keys: ['nodes', usersOf(this.node)], arguments: [this.node] };
    const isNew = (await commands.eval(ENLIST, lists)) === 1;
    if (isNew) this.isBehind = true;
    if (this.isBehind) await this.catchUp();
    // Some of them, where somebody put very many there.
    for (const other of await commands.sRandMemberCount('nodes', MAX_NODES)) {
      if (other === this.node) continue;
      if (!isId(other)) {
        this.redis.refuse('presence', 'malformed');
        await commands.sRem('nodes', other);
        continue;
      }
      if ((await commands.exists(lifeOf(other))) === 1) continue;
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
    for await (const some of this.redis.commands.sScanIterator(usersOf(this.node), { COUNT: AT_ONCE })) {
      await inSteps(some, async (userId) => {
        if (hooks.statusOf(userId)) return;
        if (await this.leaveNode(this.node, userId)) hooks.lost(userId, Date.now());
      });
    }
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
    // Each is taken from the list with their leaving: were this node to die meanwhile, another goes on; and this one does,
    // where there were more than one turn is for.
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const query = { keys: [usersOf(node)], arguments: [String(AT_ONCE)] };
      const some = (await this.redis.commands.eval(SOME, query)) as string[];
      if (some.length === 0) break;
      await inSteps(some, async (userId) => {
        if (await this.leaveNode(node, userId)) this.hooks?.lost(userId, lastSeenAt);
      });
      if (turn === MAX_TURNS - 1) return;
    }
    await this.redis.commands.sRem('nodes', node);
    this.log.info({ node }, 'a node is gone: its users are, where they are on no other');
  }

  private async leaveNode(node: string, userId: string): Promise<boolean> {
    if (!isId(userId)) {
      this.redis.refuse('presence', 'malformed');
      await this.redis.commands.sRem(usersOf(node), userId);
      return false;
    }
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

function isId(text: string): boolean {
  return Id.safeParse(text).success;
}

/** What is there, or else what nobody has to choose; nothing where nothing is there. */
function toChosen(status: unknown): Chosen | undefined {
  if (status === '' || typeof status !== 'string') return undefined;
  return status === 'away' || status === 'dnd' ? status : 'online';
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
