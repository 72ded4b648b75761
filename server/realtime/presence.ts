import type { ServerFrame } from '../../protocol/events.ts';
import { OFFLINE_AFTER_MS } from '../../protocol/limits.ts';
import type { PresenceStatus } from '../../protocol/resources.ts';
import type { Bus, PresenceNews } from '../bus/bus.ts';
import type { Logger } from '../shared/logger.ts';
import type { PresenceRepository } from './presence-repository.ts';
import type { Chosen, SharedPresence } from './shared-presence.ts';

/** A choice is told at most this often for each user, in milliseconds; the last one counts. */
const CHOICE_MS = 1000;
/** Last-seen times are written behind, in one batch at most every so many milliseconds. */
const WRITE_MS = 1000;

/** Users whose presence is looked up at once, in Redis and in the database. */
const LOOKED_UP_AT_ONCE = 500;

/** A socket that watches others. */
export interface Watcher {
  readonly user: { readonly id: string };
  send(frame: ServerFrame): void;
}

/** Somebody with sockets on this node, or who had some a moment ago. */
interface Present {
  sockets: number;
  status: Chosen;
  /** Runs while there is no socket: who comes back in time was never away. */
  leaving?: Timer;
  /** Runs after a choice was told, until the next may be. */
  pausing?: Timer;
  /** What was told last; unknown where another node may have told something since. */
  told: Chosen | undefined;
}

/** One user whom sockets of this node watch. */
interface Watched {
  watchers: Set<Watcher>;
  stopListening(): void;
  /** What is being told, so that the next news waits for it. */
  telling: Promise<void>;
}

/**
 * Who is there. Somebody with several devices is online while one of them is. It is told only to those who watch them and
 * share a conversation with them, and asked anew each time it is told: sharing can end.
 */
export class Presence {
  private readonly present = new Map<string, Present>();
  private readonly watched = new Map<string, Watched>();
  /** Whom a socket watches, and how it was told last that they are. */
  private readonly watchedBy = new Map<Watcher, Map<string, PresenceStatus | undefined>>();
  private seen = new Map<string, number>();
  private writer: Timer | undefined;

  constructor(
    private readonly repository: PresenceRepository,
    private readonly bus: Bus,
    private readonly log: Logger,
    /** What other nodes know; absent where there are none. */
    private readonly shared?: SharedPresence,
  ) {
    shared?.begin({
      present: () => this.present.keys(),
      statusOf: (userId) => this.present.get(userId)?.status,
      found: (userId, status) => this.bus.publish(`presence:${userId}`, { user_id: userId, status }),
      lost: (userId, lastSeenAt) => this.tellGone(userId, lastSeenAt),
      returned: () => this.inBackground(this.lookAgain()),
    });
  }

  arrived(userId: string): void {
    const known = this.present.get(userId);
    if (known) {
      known.sockets++;
      clearTimeout(known.leaving);
      known.leaving = undefined;
      return;
    }
    const present: Present = { sockets: 1, status: 'online', told: 'online' };
    this.present.set(userId, present);
    if (this.shared) this.inBackground(this.enter(userId, present, this.shared));
    else this.bus.publish(`presence:${userId}`, { user_id: userId, status: 'online' });
  }

  left(connection: Watcher): void {
    this.stopWatching(connection);
    const present = this.present.get(connection.user.id);
    if (!present || --present.sockets > 0) return;
    present.leaving = setTimeout(() => this.gone(connection.user.id), OFFLINE_AFTER_MS);
  }

  /** Away and do-not-disturb are the user's own choice. */
  choose(userId: string, status: Chosen): void {
    const present = this.present.get(userId);
    if (!present) return;
    present.status = status;
    if (this.shared) {
      present.told = undefined;
      this.inBackground(this.shared.choose(userId, status));
    }
    if (!present.pausing) this.tellChoice(userId, present);
  }

  /** From now on the socket watches these users, instead of those before, and is told how they are now. */
  async watch(connection: Watcher, userIds: string[]): Promise<void> {
    this.stopWatching(connection);
    const told = new Map(userIds.map((userId) => [userId, undefined as PresenceStatus | undefined]));
    this.watchedBy.set(connection, told);
    for (const userId of told.keys()) this.startWatching(connection, userId);
    // First heard by the other nodes, then asked: what changes after is told.
    await this.bus.settled();
    const shared = [...(await this.repository.sharers(connection.user.id, [...told.keys()]))];
    const there = (await this.shared?.find(shared)) ?? this.statusesHere(shared);
    for (const news of await this.describe(shared, there)) {
      if (this.watchedBy.get(connection) !== told) return;
      // What was heard meanwhile is newer.
      if (told.get(news.user_id) === undefined) this.send(connection, news);
    }
  }

  /** Writes what waits; to be called at the stop, when all have left. */
  async stop(): Promise<void> {
    const now = Date.now();
    for (const [userId, { leaving, pausing }] of this.present) {
      clearTimeout(leaving);
      clearTimeout(pausing);
      this.seen.set(userId, now);
    }
    // Other nodes find this one gone a little later: who came back to them meanwhile was never away.
    this.present.clear();
    clearTimeout(this.writer);
    try {
      await this.write();
    } finally {
      await this.shared?.stop();
    }
  }

  /** How some users are to be seen, of whom those in `there` are connected. */
  private async describe(userIds: string[], there: Map<string, Chosen>): Promise<PresenceNews[]> {
    const lastSeen = await this.repository.lastSeen(userIds.filter((id) => !there.has(id)));
    return userIds.map((user_id) => {
      const status = there.get(user_id);
      if (status) return { user_id, status };
      return { user_id, status: 'offline', last_seen_at: this.seen.get(user_id) ?? lastSeen.get(user_id) };
    });
  }

  /** Tells anew how those who are watched here are to be seen; who was told so already hears nothing. */
  private async lookAgain(): Promise<void> {
    const watched = [...this.watched.keys()];
    for (let index = 0; index < watched.length; index += LOOKED_UP_AT_ONCE) {
      const some = watched.slice(index, index + LOOKED_UP_AT_ONCE);
      const there = await this.shared?.find(some);
      if (!there) return; // away again: the next return looks again
      for (const news of await this.describe(some, there)) this.hear(news);
    }
  }

  private statusesHere(userIds: string[]): Map<string, Chosen> {
    const here = new Map<string, Chosen>();
    for (const userId of userIds) {
      const present = this.present.get(userId);
      if (present) here.set(userId, present.status);
    }
    return here;
  }

  /** They may be on another node already, as they chose to be seen there. */
  private async enter(userId: string, present: Present, shared: SharedPresence): Promise<void> {
    const status = await shared.enter(userId);
    if (!status) this.bus.publish(`presence:${userId}`, { user_id: userId, status: 'online' });
    else if (present.told === 'online') present.status = present.told = status;
  }

  private inBackground(work: Promise<void>): void {
    work.catch((error) => this.log.warn({ err: error }, 'a presence could not be shared'));
  }

  private tellChoice(userId: string, present: Present): void {
    present.pausing = undefined;
    if (present.status === present.told) return;
    present.told = present.status;
    present.pausing = setTimeout(() => this.tellChoice(userId, present), CHOICE_MS);
    this.bus.publish(`presence:${userId}`, { user_id: userId, status: present.status });
  }

  private gone(userId: string): void {
    clearTimeout(this.present.get(userId)?.pausing);
    this.present.delete(userId);
    // They were last here when their last socket closed.
    const lastSeenAt = Date.now() - OFFLINE_AFTER_MS;
    if (this.shared) this.inBackground(this.leaveShared(userId, lastSeenAt, this.shared));
    else this.tellGone(userId, lastSeenAt);
  }

  private async leaveShared(userId: string, lastSeenAt: number, shared: SharedPresence): Promise<void> {
    if (await shared.leave(userId)) this.tellGone(userId, lastSeenAt);
  }

  private tellGone(userId: string, last_seen_at: number): void {
    this.seen.set(userId, last_seen_at);
    this.writer ??= setTimeout(() => this.writeBehind(), WRITE_MS);
    this.bus.publish(`presence:${userId}`, { user_id: userId, status: 'offline', last_seen_at });
  }

  private startWatching(connection: Watcher, userId: string): void {
    const known = this.watched.get(userId);
    if (known) {
      known.watchers.add(connection);
      return;
    }
    const stopListening = this.bus.subscribe(`presence:${userId}`, (news) => this.hear(news));
    this.watched.set(userId, { watchers: new Set([connection]), stopListening, telling: Promise.resolve() });
  }

  private stopWatching(connection: Watcher): void {
    for (const userId of this.watchedBy.get(connection)?.keys() ?? []) {
      const watched = this.watched.get(userId);
      watched?.watchers.delete(connection);
      if (watched?.watchers.size !== 0) continue;
      watched.stopListening();
      this.watched.delete(userId);
    }
    this.watchedBy.delete(connection);
  }

  private hear(news: PresenceNews): void {
    const watched = this.watched.get(news.user_id);
    if (!watched) return;
    watched.telling = watched.telling
      .then(() => this.tell(news, [...watched.watchers]))
      .catch((error) => this.log.warn({ err: error }, 'a presence could not be told'));
  }

  private async tell(news: PresenceNews, watchers: Watcher[]): Promise<void> {
    const unaware = watchers.filter((connection) => this.watchedBy.get(connection)?.get(news.user_id) !== news.status);
    if (unaware.length === 0) return;
    const watcherIds = [...new Set(unaware.map((connection) => connection.user.id))];
    const shared = await this.repository.sharers(news.user_id, watcherIds);
    for (const connection of unaware) if (shared.has(connection.user.id)) this.send(connection, news);
  }

  private send(connection: Watcher, news: PresenceNews): void {
    const told = this.watchedBy.get(connection);
    if (!told?.has(news.user_id)) return; // watches others by now, or is gone
    if (told.get(news.user_id) === news.status) return; // was told so while this was looked up
    told.set(news.user_id, news.status);
    connection.send({ event: 'presence', ...news });
  }

  private writeBehind(): void {
    this.writer = undefined;
    this.write().catch((error) => this.log.warn({ err: error }, 'last-seen times could not be written'));
  }

  private async write(): Promise<void> {
    if (this.seen.size === 0) return;
    const batch = this.seen;
    this.seen = new Map();
    await this.repository.saveLastSeen(batch);
  }
}
