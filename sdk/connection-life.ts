import { CLOSE } from '../protocol/close-codes.ts';
import type { Api } from './api.ts';
import type { Connection } from './connection.ts';
import { ParleyError } from './errors.ts';
import type { Emitter } from './events.ts';
import type { MarkSender } from './marks.ts';
import type { Outbox } from './outbox.ts';
import type { Presence } from './presence.ts';
import type { ErrorCode, FrameOf, User } from './protocol.ts';
import type { Session } from './session.ts';
import type { ClientState } from './state.ts';
import type { StateTeller } from './state-teller.ts';
import type { Storage } from './storage/storage.ts';
import { Value } from './store/observable.ts';
import type { Persistence } from './store/persistence.ts';
import type { Synchronizer } from './sync/synchronizer.ts';
import type { Tabs } from './tabs.ts';
import type { Typing } from './typing.ts';

export interface ConnectionLifeOptions {
  api: Api;
  session: Session;
  connection: Connection;
  tabs: Tabs;
  synchronizer: Synchronizer;
  outbox: Outbox;
  typing: Typing;
  presence: Presence;
  marks: MarkSender;
  persistence: Persistence;
  storage: Storage;
  state: StateTeller;
  emitter: Emitter;
}

/** What is refused until it is done. */
const RESTRICTED: Record<NonNullable<User['restriction']>, ErrorCode> = {
  password: 'password_change_required',
  email: 'email_unverified',
  factor: 'enrolment_required',
};

/** What begins and ends with the connection: who leads among the tabs, what is synchronized, what is on its way. */
export class ConnectionLife {
  /** The most characters that a message may have, as the server last said; undefined until it was heard. */
  readonly maxMessageLength = new Value<number | undefined>(undefined);
  /** Counts sockets: what an earlier one began is over. */
  private turn = 0;
  /** Whether to be connected, whenever that is possible. */
  isWanted = false;

  constructor(private readonly options: ConnectionLifeOptions) {
    options.session.current.subscribe(this.look);
  }

  /** Connects, and stays connected; resolves at the first time that everything is synchronized. */
  connect(): Promise<void> {
    const { session, tabs, connection, outbox, state } = this.options;
    const online = new Promise<void>((resolve, reject) => {
      if (!session.user) {
        reject(new ParleyError('signed_out'));
        return;
      }
      tabs.open();
      this.isWanted = true;
      if (this.isHeldUp) state.set('restricted');
      else connection.start();
      tabs.lead(() => void outbox.lead());
      session.keepFresh();
      let stop: (() => void) | undefined;
      const look = (now: ClientState) => {
        if (now === 'online') resolve();
        else if (now === 'signed_out') reject(new ParleyError('signed_out'));
        else if (now === 'restricted') reject(new ParleyError(RESTRICTED[session.user?.restriction ?? 'email']));
        else if (now === 'stopped') reject(new ParleyError('aborted', 'The server wants no connection from here'));
        else return;
        queueMicrotask(() => stop?.());
      };
      stop = state.subscribe(look);
    });
    online.catch(() => {});
    return online;
  }

  /** Ends all that holds the client, once what is not yet stored is stored. */
  async disconnect(): Promise<void> {
    const { marks, tabs, persistence, emitter, storage } = this.options;
    marks.flush();
    this.rest();
    tabs.close();
    await persistence.flush();
    emitter.end();
    await storage.close();
  }

  /** Tries to connect now rather than after the wait. */
  reconnect(): void {
    this.options.connection.wake();
  }

  /** Ends the connection, and lets another tab lead. */
  rest(): void {
    const { connection, session, tabs, outbox } = this.options;
    this.isWanted = false;
    connection.stop();
    session.rest();
    tabs.rest();
    outbox.follow();
  }

  /** The server is ready: what was missed is fetched, what waits is sent. */
  ready({ epoch, max_message_length }: FrameOf<'ready'>): void {
    const { state, presence, outbox, synchronizer, emitter, connection } = this.options;
    this.maxMessageLength.set(max_message_length);
    const turn = ++this.turn;
    state.set('syncing');
    presence.sayAgain();
    outbox.open();
    synchronizer.run(epoch).then(
      () => {
        if (turn === this.turn && state.get() === 'syncing') state.set('online');
      },
      (error) => {
        const failure = ParleyError.from(error);
        if (turn !== this.turn || failure.code === 'aborted') return;
        emitter.emit('error', failure);
        connection.drop();
      },
    );
  }

  /** The socket is gone; `isFinal`: and no other will follow. */
  down(code: number, isFinal: boolean): void {
    const { outbox, synchronizer, typing, marks, session, state } = this.options;
    this.turn++;
    if (code === 1009) outbox.failLargest();
    outbox.close();
    synchronizer.stop();
    typing.forget();
    marks.forget();
    if (session.user) state.set(this.isHeldUp ? 'restricted' : isFinal && code !== 1000 ? 'stopped' : 'offline');
  }

  /**
   * Whether to come back with this session: it holds, and the account has nothing to do first. Where the server says that it
   * is over, and cannot be asked what is the matter, it is over.
   */
  async checkSession(code: number): Promise<boolean> {
    const { api, session } = this.options;
    try {
      if (code === CLOSE.SESSION_OVER) await session.renew();
    } catch {
      await session.end('session_over'); // where the answer has not ended it yet
      return false;
    }
    try {
      return !(await api.refresh()).restriction;
    } catch (error) {
      return ParleyError.from(error).action !== 'sign_in';
    }
  }

  /** Whether the connection is wanted, and the account has something to do before. */
  private get isHeldUp(): boolean {
    return this.isWanted && this.options.session.user?.restriction !== undefined;
  }

  /** What the account has to do first is done, or there is something now. */
  private readonly look = (): void => {
    const { connection, state } = this.options;
    if (!this.isWanted) return;
    if (this.isHeldUp) {
      connection.stop();
      state.set('restricted');
    } else if (state.get() === 'restricted') connection.start();
  };
}
