import { CLOSE } from '../protocol/close-codes.ts';
import { excerptOf } from '../protocol/text.ts';
import { Api } from './api.ts';
import type { BackoffOptions } from './backoff.ts';
import { MessageChanges } from './changes.ts';
import { Connection, type SocketConstructor } from './connection.ts';
import { ParleyError } from './errors.ts';
import { Emitter, type EventName, type ParleyEvent, type ParleyEvents } from './events.ts';
import { type Fetch, Http } from './http.ts';
import { Live } from './live.ts';
import { defaultLocks, type Locks } from './locks.ts';
import { MarkSender } from './marks.ts';
import { Outbox, type Outgoing, type Sending } from './outbox.ts';
import { Presence } from './presence.ts';
import type { ClientFrame, FrameOf, Message, ReplyTo, User } from './protocol.ts';
import { type AuthMode, type Credentials, type Registration, Session } from './session.ts';
import type { ClientState } from './state.ts';
import { IndexedDbStorage } from './storage/indexeddb.ts';
import { MemoryStorage } from './storage/memory.ts';
import type { Storage } from './storage/storage.ts';
import { type Observable, Value } from './store/observable.ts';
import { Persistence } from './store/persistence.ts';
import { presentOutgoing } from './store/present.ts';
import { type ParleyStore, Store } from './store/store.ts';
import { Synchronizer } from './sync/synchronizer.ts';
import { Tabs } from './tabs.ts';
import { Typing } from './typing.ts';
import type { ConversationView } from './views.ts';

export interface ClientOptions {
  /** Where the server is, such as `https://chat.example.com`; left out: the page's own server. */
  baseUrl?: string;
  /** Whether the SDK keeps the tokens (default), or the browser does, in cookies that no script can read. */
  auth?: AuthMode;
  /** Where things are kept: IndexedDB where there is one, else memory. */
  storage?: Storage;
  /** For run times without one of their own, such as Node 20: that of the package `ws`. */
  WebSocket?: unknown;
  fetch?: Fetch;
  /** What tabs agree by: `navigator.locks` where there is one. */
  locks?: Locks;
  /** How long a request may take, in milliseconds; 15,000 when left out. */
  timeoutMs?: number;
  /** How long to wait before trying again. */
  backoff?: BackoffOptions;
}

/** A client of Parley for one user at a time. */
export function createClient(options: ClientOptions = {}): ParleyClient {
  return new ParleyClient(options);
}

/**
 * Everything an application needs of Parley. It keeps a copy of the user's conversations that ends where the server's log
 * is, whatever happened in between, and sends what was written once, in order, whenever it can.
 */
export class ParleyClient {
  /** The REST interface, call by call. */
  readonly api: Api;
  /** The conversations, for showing. */
  readonly store: ParleyStore;
  /** Who is there, of those that one watches; and how one is oneself. */
  readonly presence: Presence;
  /** What the connection is doing. */
  readonly state: Observable<ClientState>;

  /** The most characters that a message may have, as the server last said; undefined until it was heard. */
  readonly maxMessageLength: Observable<number | undefined>;

  private readonly maxLength = new Value<number | undefined>(undefined);
  private readonly stateValue = new Value<ClientState>('signed_out');
  private readonly emitter = new Emitter();
  private readonly copies: Store;
  private readonly storage: Storage;
  private readonly session: Session;
  private readonly connection: Connection;
  private readonly synchronizer: Synchronizer;
  private readonly outbox: Outbox;
  private readonly tabs: Tabs<Outgoing>;
  private readonly typists: Typing;
  private readonly marks: MarkSender;
  private readonly persistence: Persistence;
  private readonly changes: MessageChanges;
  private readonly live: Live;
  /** Counts sockets: what an earlier one began is over. */
  private turn = 0;

  /** @internal */
  constructor(options: ClientOptions) {
    const { auth = 'token', locks = defaultLocks(), backoff } = options;
    const baseUrl = (options.baseUrl ?? globalThis.location?.origin ?? '').replace(/\/+$/, '');
    const fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
    const http = new Http({
      baseUrl,
      fetch,
      timeoutMs: options.timeoutMs ?? 15_000,
      credentials: auth === 'cookie' ? 'include' : 'omit',
    });
    const send = (frame: ClientFrame) => this.connection.send(frame);
    const onError = (error: ParleyError) => this.emitter.emit('error', error);

    this.storage = options.storage ?? defaultStorage(baseUrl);
    const { storage } = this;
    this.session = new Session({ http, storage, locks, mode: auth, onOver: (reason) => void this.signedOut(reason) });
    this.api = new Api(http, this.session);
    this.copies = new Store({
      outgoing: (id) => this.outbox.of(id),
      typing: (id) => this.typists.in(id),
      onChange: (id) => this.persistence.note(id),
    });
    this.persistence = new Persistence(storage, this.copies, onError);
    this.outbox = new Outbox({
      storage,
      send,
      backoff,
      onError,
      onSilence: () => this.connection.drop(),
      onChange: (item) => this.copies.touch(item.conversation_id),
      onFailed: (item) => this.emitter.emit('failed', presentOutgoing(item, this.copies.me)),
      tell: (kind, item) => this.tellTabs(kind, item),
    });
    this.tabs = new Tabs(storage.name, locks, (news) => this.hearTab(news));
    this.synchronizer = new Synchronizer({
      api: this.api,
      store: this.copies,
      backoff,
      onAdvance: (copy, news) => this.live.advanced(copy, news),
      onRemoved: (conversation_id) => this.emitter.emit('conversation.removed', { conversation_id }),
      onHead: (head, copy) => this.live.sayMarksAgain(head, copy),
      onOtherHistory: () => {
        this.copies.clear();
        this.connection.drop();
      },
      onError,
    });
    this.typists = new Typing(send, (id) => this.copies.touch(id));
    this.marks = new MarkSender(send);
    this.connection = new Connection({
      url: `${baseUrl.replace(/^http/, 'ws')}/ws`,
      WebSocket: (options.WebSocket ?? globalThis.WebSocket) as SocketConstructor,
      backoff,
      token: () => this.session.token(),
      checkSession: () => this.checkSession(),
      onConnecting: () => this.setState('connecting'),
      onReady: (frame) => this.ready(frame),
      onFrame: (frame) => this.live.hear(frame),
      onDown: (code, isFinal) => this.down(code, isFinal),
    });
    this.store = this.copies;
    this.presence = new Presence(send);
    this.changes = new MessageChanges({ api: this.api, store: this.copies, backoff });
    this.live = new Live({
      store: this.copies,
      synchronizer: this.synchronizer,
      outbox: this.outbox,
      typing: this.typists,
      presence: this.presence,
      marks: this.marks,
      emitter: this.emitter,
      onDraining: () => this.setState('draining'),
    });
    this.state = this.stateValue;
    this.maxMessageLength = this.maxLength;
  }

  /** Who is signed in. */
  get user(): User | undefined {
    return this.session.user;
  }

  // Signing in and out

  /** Makes an account and signs in to it. */
  async register(body: Registration): Promise<User> {
    await this.leaveUser();
    return this.signedIn(await this.session.register(body));
  }

  /** Signs in, by e-mail, username or phone number; whoever was signed in before is left. `invalid_credentials`. */
  async login(body: Credentials): Promise<User> {
    await this.leaveUser();
    return this.signedIn(await this.session.login(body));
  }

  /** Signs in as who was signed in on this device last, with what was kept; undefined where nobody was. Works offline. */
  async resume(): Promise<User | undefined> {
    const user = await this.session.resume();
    return user && this.begin(user);
  }

  /** Signs out and wipes all that was kept of the user. */
  async logout(): Promise<void> {
    const { user } = this;
    if (!user) return;
    this.tabs.tell({ kind: 'signed_out', user_id: user.id });
    this.leave();
    try {
      await this.storage.clear(prefixOf(user.id));
    } finally {
      await this.session.logout();
    }
    this.emitter.emit('signed_out', { reason: 'logout' });
  }

  /** Changes one's own name or status. */
  async updateProfile(body: Parameters<Api['updateMe']>[0]): Promise<User> {
    const user = await this.api.updateMe(body);
    await this.session.changeUser(user);
    this.copies.me = user;
    return user;
  }

  // Connecting

  /**
   * Connects, and stays connected until `disconnect` or `logout`. Resolves at the first time that everything is
   * synchronized; rejects where the session is over. Nobody has to wait for it.
   */
  connect(): Promise<void> {
    const online = new Promise<void>((resolve, reject) => {
      if (!this.user) {
        reject(new ParleyError('signed_out'));
        return;
      }
      this.tabs.open();
      this.connection.start();
      this.tabs.lead(() => void this.outbox.lead());
      this.session.keepFresh();
      let stop: (() => void) | undefined;
      const look = (state: ClientState) => {
        if (state === 'online') resolve();
        else if (state === 'signed_out') reject(new ParleyError('signed_out'));
        else if (state === 'stopped') reject(new ParleyError('aborted', 'The server wants no connection from here'));
        else return;
        queueMicrotask(() => stop?.());
      };
      stop = this.state.subscribe(look);
    });
    online.catch(() => {});
    return online;
  }

  /**
   * Disconnects, stores what is not yet stored, and ends what iterates over events. Nothing holds the client any more,
   * and it hears of no other tab; `connect` begins anew.
   */
  async disconnect(): Promise<void> {
    this.marks.flush();
    this.rest();
    this.tabs.close();
    await this.persistence.flush();
    this.emitter.end();
    await this.storage.close();
  }

  /** Tries to connect now rather than after the wait: the person asked for it. */
  reconnect(): void {
    this.connection.wake();
  }

  // Events

  /** Calls `callback` at each event of a kind; returns what ends that. */
  on<K extends EventName>(event: K, callback: (data: ParleyEvents[K]) => void): () => void {
    return this.emitter.on(event, callback);
  }

  /** All events from now on, for `for await`. A reader that falls 1,000 behind is told so by `lagged`. */
  events(): AsyncIterableIterator<ParleyEvent> {
    return this.emitter.events();
  }

  // Conversations

  /** The direct conversation with somebody, opened where there is none. */
  async openDirect(userId: string): Promise<ConversationView> {
    return this.took(await this.api.openDirect({ participant_id: userId }));
  }

  /** A new group, with oneself as its admin. */
  async createGroup(name: string, userIds: string[] = []): Promise<ConversationView> {
    return this.took(await this.api.createGroup({ name, participant_ids: userIds }));
  }

  /** Loads the newest messages of a conversation into the store, which keeps them up to date from then on. */
  open(conversationId: string): Promise<void> {
    return this.synchronizer.pages.open(conversationId);
  }

  /** Loads older messages into the store; returns whether there are more. */
  loadOlder(conversationId: string, limit?: number): Promise<boolean> {
    return this.synchronizer.pages.loadOlder(conversationId, limit);
  }

  /** Loads older messages until this one is there; returns whether it is. */
  async loadBackTo(conversationId: string, messageId: string): Promise<boolean> {
    await this.open(conversationId);
    const isLoaded = () => this.copies.get(conversationId)?.window?.some(({ id }) => id === messageId) ?? false;
    let hasMore = true;
    while (!isLoaded() && hasMore) hasMore = await this.loadOlder(conversationId, 100);
    return isLoaded();
  }

  /** Loads all participants of a large group into the store. */
  loadParticipants(conversationId: string): Promise<void> {
    return this.synchronizer.pages.loadParticipants(conversationId);
  }

  // Messages

  /** Writes a message. It is shown at once, and sent once, in order, as soon as there is a connection. */
  send(conversationId: string, content: string, options: { replyTo?: string } = {}): Sending {
    if (!this.user) throw new ParleyError('signed_out');
    const reply_to = options.replyTo === undefined ? undefined : this.quote(conversationId, options.replyTo);
    this.typists.sent(conversationId);
    return this.outbox.add({ conversation_id: conversationId, content, reply_to });
  }

  /** Sends a failed message again. */
  retry(clientId: string): Promise<void> {
    return this.outbox.retry(clientId);
  }

  /** Gives a failed message up. */
  discard(clientId: string): Promise<void> {
    return this.outbox.discard(clientId);
  }

  /** Edits a message of one's own, unless it was changed meanwhile (`stale`). */
  edit(conversationId: string, messageId: string, content: string): Promise<Message> {
    return this.changes.edit(conversationId, messageId, content);
  }

  /**
   * Deletes a message, of one's own or as an admin of the group (`forbidden`). It is shown at once, and taken back where it
   * fails.
   */
  delete(conversationId: string, messageId: string): Promise<Message> {
    return this.changes.delete(conversationId, messageId);
  }

  /**
   * Adds one's reaction, a single emoji. It is shown at once, and taken back where it fails, as with `stale` where the
   * message is deleted.
   */
  react(conversationId: string, messageId: string, emoji: string): Promise<Message> {
    return this.changes.react(conversationId, messageId, emoji, true);
  }

  /** Takes one's reaction away; shown at once, as with `react`. */
  unreact(conversationId: string, messageId: string, emoji: string): Promise<Message> {
    return this.changes.react(conversationId, messageId, emoji, false);
  }

  /** Marks a conversation as read, up to a message or to its newest one. */
  read(conversationId: string, seq?: number): void {
    const copy = this.copies.get(conversationId);
    if (!copy || !this.user) return;
    const upTo = Math.min(seq ?? copy.seq, copy.seq);
    if (!this.markRead(conversationId, upTo)) return;
    this.marks.note('read', conversationId, upTo);
    this.tabs.tell({ kind: 'read', user_id: this.user.id, conversation_id: conversationId, seq: upTo });
  }

  /** To be called at each keystroke; `false` where what was typed is gone. Ends by itself, and when the message is sent. */
  typing(conversationId: string, active = true): void {
    if (active) this.typists.press(conversationId);
    else this.typists.stop(conversationId);
  }

  // The life of a session

  private async leaveUser(): Promise<void> {
    if (!this.user) return;
    this.leave();
    await this.session.forget();
  }

  private async signedIn(user: User): Promise<User> {
    await this.wipeOthers(user).catch((error) => this.storageFailed(error));
    await this.begin(user);
    this.tabs.tell({ kind: 'signed_in', user_id: user.id });
    return user;
  }

  private async begin(user: User): Promise<User> {
    this.persistence.stop();
    this.copies.clear();
    this.copies.me = user;
    this.tabs.open();
    const failed = (error: unknown) => this.storageFailed(error); // what cannot be read is fetched again
    const prefix = prefixOf(user.id);
    await Promise.all([
      this.persistence.load(prefix).catch(failed),
      this.outbox.load(`${prefix}outbox/`).catch(failed),
    ]);
    this.setState('offline');
    return user;
  }

  /** What another user of this device left is not for this one. */
  private async wipeOthers(user: User): Promise<void> {
    const mine = prefixOf(user.id);
    const others = (await this.storage.list(USERS)).map(([key]) => key).filter((key) => !key.startsWith(mine));
    if (others.length > 0) await this.storage.write(Object.fromEntries(others.map((key) => [key, undefined])));
  }

  /** Ends the connection, and lets another tab lead. */
  private rest(): void {
    this.connection.stop();
    this.session.rest();
    this.tabs.rest();
    this.outbox.follow();
  }

  /** Forgets the user, in memory. */
  private leave(): void {
    this.rest();
    this.tabs.close();
    this.persistence.stop();
    this.outbox.end();
    this.presence.forget();
    this.copies.clear();
    this.setState('signed_out');
  }

  /** The session is over without this client having asked for it. What was kept stays for when the user is back. */
  private async signedOut(reason: string): Promise<void> {
    await this.persistence.flush();
    this.leave();
    this.emitter.emit('signed_out', { reason });
  }

  private async checkSession(): Promise<boolean> {
    try {
      await this.api.me();
      return true;
    } catch (error) {
      return ParleyError.from(error).action !== 'sign_in';
    }
  }

  // The life of a connection

  private ready({ epoch, max_message_length }: FrameOf<'ready'>): void {
    this.maxLength.set(max_message_length);
    const turn = ++this.turn;
    this.setState('syncing');
    this.presence.sayAgain();
    this.outbox.open();
    this.synchronizer.run(epoch).then(
      () => {
        if (turn === this.turn && this.state.get() === 'syncing') this.setState('online');
      },
      (error) => {
        const failure = ParleyError.from(error);
        if (turn !== this.turn || failure.code === 'aborted') return;
        this.emitter.emit('error', failure);
        this.connection.drop();
      },
    );
  }

  private down(code: number, isFinal: boolean): void {
    this.turn++;
    if (code === 1009) this.outbox.failLargest();
    this.outbox.close();
    this.synchronizer.stop();
    this.typists.forget();
    this.marks.forget();
    if (!this.user) return;
    if (code === CLOSE.SESSION_OVER) void this.session.end('session_over');
    else this.setState(isFinal && code !== 1000 ? 'stopped' : 'offline');
  }

  // Tabs

  private tellTabs(kind: 'queued' | 'settled' | 'discarded', item: Outgoing): void {
    const user_id = this.copies.me.id;
    if (kind === 'discarded') this.tabs.tell({ kind, user_id, client_id: item.client_id });
    else this.tabs.tell({ kind, user_id, item });
  }

  private hearTab(news: Parameters<Tabs<Outgoing>['tell']>[0]): void {
    const { user } = this;
    if (!user) return;
    if (news.kind === 'signed_in' && news.user_id !== user.id) void this.session.end('another_user');
    if (news.user_id !== user.id) return;
    if (news.kind === 'queued') {
      this.outbox.hearQueued(news.item);
      this.connection.wake();
    } else if (news.kind === 'settled') {
      this.outbox.hearSettled(news.item);
      const copy = this.copies.get(news.item.conversation_id);
      if (copy) this.outbox.forget(copy.id, copy.rev);
    } else if (news.kind === 'discarded') this.outbox.hearDiscarded(news.client_id);
    else if (news.kind === 'read') this.markRead(news.conversation_id, news.seq);
    else if (news.kind === 'signed_out') {
      this.leave();
      const wiped = this.session.forget().then(() => this.storage.clear(prefixOf(user.id)));
      wiped.catch((error) => this.storageFailed(error));
      this.emitter.emit('signed_out', { reason: 'logout' });
    }
  }

  // Helpers

  private setState(state: ClientState): void {
    if (state === this.state.get()) return;
    this.stateValue.set(state);
    this.emitter.emit('state', state);
  }

  private storageFailed(error: unknown): void {
    this.emitter.emit('error', new ParleyError('storage', undefined, { cause: error }));
  }

  private took(entry: Parameters<Synchronizer['take']>[0]): ConversationView {
    this.synchronizer.take(entry);
    return this.copies.conversation(entry.conversation.id).get()!;
  }

  private markRead(conversationId: string, seq: number): boolean {
    const moved = this.copies
      .get(conversationId)
      ?.mark({ user_id: this.copies.me.id, read_seq: seq, delivered_seq: 0 });
    if (moved) this.copies.touch(conversationId);
    return moved ?? false;
  }

  private quote(conversationId: string, messageId: string): ReplyTo {
    const quoted = this.copies.get(conversationId)?.message(messageId);
    const { sender_id = '', sender_username = '', content = '' } = quoted ?? {};
    return { id: messageId, sender_id, sender_username, excerpt: excerptOf(content) };
  }
}

/** Under this, and the user's id, is what is kept of a user. */
const USERS = 'user/';

function prefixOf(userId: string): string {
  return `${USERS}${userId}/`;
}

function defaultStorage(baseUrl: string): Storage {
  return typeof indexedDB === 'undefined' ? new MemoryStorage() : new IndexedDbStorage(`parley ${baseUrl}`);
}
