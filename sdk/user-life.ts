import type { ConnectionLife } from './connection-life.ts';
import { ParleyError } from './errors.ts';
import type { Emitter } from './events.ts';
import type { Outbox, Outgoing } from './outbox.ts';
import type { Presence } from './presence.ts';
import type { User } from './protocol.ts';
import type { Session } from './session.ts';
import type { StateTeller } from './state-teller.ts';
import type { Batch, Storage } from './storage/storage.ts';
import type { Persistence } from './store/persistence.ts';
import type { Store } from './store/store.ts';
import type { Tabs } from './tabs.ts';

export interface UserLifeOptions {
  storage: Storage;
  session: Session;
  connection: Pick<ConnectionLife, 'rest' | 'connect' | 'isWanted'>;
  tabs: Tabs;
  store: Store;
  persistence: Persistence;
  outbox: Outbox;
  presence: Presence;
  state: StateTeller;
  emitter: Emitter;
}

/** Under this, and the user's id, is what is kept of a user. */
const USERS = 'user/';

/** What begins and ends with a user: their copies, their outbox, and what is kept of them on the device. */
export class UserLife {
  /** Whether the account is being deleted: that the session is over is no surprise. */
  private isRemoving = false;

  constructor(private readonly options: UserLifeOptions) {}

  /** Signs in; whoever was signed in before is left once that has come about, and goes on where it does not. */
  async enter(signIn: (leave: () => Promise<void>) => Promise<User>): Promise<User> {
    const { connection, session } = this.options;
    const { isWanted } = connection;
    connection.rest();
    const user = await signIn(() => this.leaveUser()).catch((error) => {
      if (isWanted && session.user) void connection.connect();
      throw error;
    });
    await this.wipeOthers(user).catch((error) => this.storageFailed(error));
    await this.begin(user);
    this.options.tabs.tell({ kind: 'signed_in', user_id: user.id });
    return user;
  }

  /** Begins with what was kept of the user. */
  async begin(user: User): Promise<User> {
    const { persistence, store, tabs, outbox, state } = this.options;
    persistence.stop();
    store.clear();
    store.me = user;
    tabs.open();
    const failed = (error: unknown) => this.storageFailed(error); // what cannot be read is fetched again
    const prefix = prefixOf(user.id);
    await Promise.all([persistence.load(prefix).catch(failed), outbox.load(`${prefix}outbox/`).catch(failed)]);
    state.set('offline');
    return user;
  }

  /** Signs out, here and in the other tabs, and wipes all that was kept of the user. */
  async logout(): Promise<void> {
    const { session, tabs, storage, emitter } = this.options;
    const { user } = session;
    if (!user) return;
    tabs.tell({ kind: 'signed_out', user_id: user.id });
    this.leave();
    try {
      await storage.clear(prefixOf(user.id));
    } finally {
      await session.logout();
    }
    emitter.emit('signed_out', { reason: 'logout' });
  }

  /** Another tab signed the user out. */
  leftElsewhere(user: User): void {
    const { session, storage, emitter } = this.options;
    this.leave();
    const wiped = session.forget().then(() => storage.clear(prefixOf(user.id)));
    wiped.catch((error) => this.storageFailed(error));
    emitter.emit('signed_out', { reason: 'logout' });
  }

  /** Deletes the account by a call, and wipes all that was kept of the user. Where the call fails nothing has changed. */
  async remove(deletion: () => Promise<unknown>): Promise<void> {
    const { session, storage } = this.options;
    const { user } = session;
    if (!user) throw new ParleyError('signed_out');
    this.isRemoving = true;
    try {
      await deletion();
      // That the session is over may have been heard before the answer: then the user is left already.
      if (session.user) await this.logout();
      else await storage.clear(prefixOf(user.id));
    } finally {
      this.isRemoving = false;
    }
  }

  /**
   * The session is over without this client having asked for it: the device may be in other hands. What came from the server
   * goes; what the user wrote, and nobody else has, stays for when they are back. Where somebody signed this very device out,
   * on another one, nothing stays.
   */
  ended(reason: string): void {
    const { store, tabs, storage, emitter } = this.options;
    const { id } = store.me;
    const prefix = prefixOf(id);
    tabs.tell({ kind: 'ended', user_id: id, reason });
    this.leave();
    const wiped =
      reason === 'session_revoked'
        ? storage.clear(prefix)
        : this.wipe(prefix, (key, kept) => {
            return key.startsWith(`${prefix}outbox/`) ? withoutQuote(kept as Outgoing) : undefined;
          });
    wiped.catch((error) => this.storageFailed(error));
    emitter.emit('signed_out', { reason: this.isRemoving ? 'logout' : reason });
  }

  private async leaveUser(): Promise<void> {
    const { session } = this.options;
    if (!session.user) return;
    this.leave();
    await session.leave();
  }

  /** Forgets the user, in memory. */
  private leave(): void {
    const { connection, tabs, persistence, outbox, presence, store, state } = this.options;
    connection.rest();
    tabs.close();
    persistence.stop();
    outbox.end();
    presence.forget();
    store.clear();
    state.set('signed_out');
  }

  /** What another user of this device left is not for this one. */
  private wipeOthers(user: User): Promise<void> {
    const mine = prefixOf(user.id);
    return this.wipe(USERS, (key, kept) => (key.startsWith(mine) ? kept : undefined));
  }

  /** Leaves of what is under a prefix what `remains` says, all at once. */
  private async wipe(prefix: string, remains: (key: string, kept: unknown) => unknown): Promise<void> {
    const { storage } = this.options;
    const batch: Batch = {};
    for (const [key, kept] of await storage.list(prefix)) {
      const left = remains(key, kept);
      if (left !== kept) batch[key] = left;
    }
    await storage.write(batch);
  }

  private storageFailed(error: unknown): void {
    this.options.emitter.emit('error', new ParleyError('storage', undefined, { cause: error }));
  }
}

function prefixOf(userId: string): string {
  return `${USERS}${userId}/`;
}

/** A message that waits keeps which one it answers, and no longer what that says. */
function withoutQuote(item: Outgoing): Outgoing {
  const { reply_to } = item;
  return reply_to ? { ...item, reply_to: { ...reply_to, sender_username: '', excerpt: '' } } : item;
}
