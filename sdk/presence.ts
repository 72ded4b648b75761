import { MAX_WATCHED_USERS } from '../protocol/limits.ts';
import type { ClientFrame, FrameOf, PresenceStatus } from './protocol.ts';
import { type Observable, View } from './store/observable.ts';

/** How somebody is: `last_seen_at` tells since when they are not there. */
export interface UserPresence {
  status: PresenceStatus;
  last_seen_at?: number;
}

const UNKNOWN: UserPresence = { status: 'offline' };

/** Who is there, of those that one watches and shares a conversation with. */
export class Presence {
  private readonly known = new Map<string, UserPresence>();
  private readonly views = new Map<string, View<UserPresence>>();
  private watched: string[] = [];
  private chosen: Exclude<PresenceStatus, 'offline'> = 'online';

  /** @internal */
  constructor(private readonly send: (frame: ClientFrame) => boolean) {}

  /** Watches these people from now on, instead of those before: a thousand at most, the first ones. */
  watch(userIds: readonly string[]): void {
    this.watched = [...new Set(userIds)].slice(0, MAX_WATCHED_USERS);
    const wanted = new Set(this.watched);
    for (const id of [...this.known.keys()]) if (!wanted.has(id)) this.put(id, undefined);
    this.send({ event: 'presence.watch', user_ids: this.watched });
  }

  /** How one is oneself, for those who watch; said again after each reconnect. */
  set(status: Exclude<PresenceStatus, 'offline'>): void {
    this.chosen = status;
    this.send({ event: 'presence.set', status });
  }

  /** How somebody is; offline as long as nothing is known. */
  of(userId: string): Observable<UserPresence> {
    const view = this.views.get(userId) ?? new View(() => this.known.get(userId) ?? UNKNOWN);
    this.views.set(userId, view);
    return view;
  }

  /** @internal */
  hear({ user_id, status, last_seen_at }: Omit<FrameOf<'presence'>, 'event'>): void {
    this.put(user_id, { status, last_seen_at });
  }

  /** A new connection knows nothing of this. @internal */
  sayAgain(): void {
    if (this.chosen !== 'online') this.send({ event: 'presence.set', status: this.chosen });
    if (this.watched.length > 0) this.send({ event: 'presence.watch', user_ids: this.watched });
  }

  /** @internal */
  forget(): void {
    this.watched = [];
    this.chosen = 'online';
    for (const id of [...this.known.keys()]) this.put(id, undefined);
  }

  private put(userId: string, presence: UserPresence | undefined): void {
    if (presence) this.known.set(userId, presence);
    else this.known.delete(userId);
    this.views.get(userId)?.invalidate();
  }
}
