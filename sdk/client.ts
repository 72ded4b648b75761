import type { Api } from './api.ts';
import { type Assembly, assemble } from './assembly.ts';
import type { EventName, ParleyEvent, ParleyEvents } from './events.ts';
import type { Account } from './facets/account.ts';
import type { Conversations } from './facets/conversations.ts';
import type { Messages } from './facets/messages.ts';
import type { ClientOptions } from './options.ts';
import type { Presence } from './presence.ts';
import type { User } from './protocol.ts';
import type { ClientState } from './state.ts';
import type { Observable } from './store/observable.ts';
import type { ParleyStore } from './store/store.ts';

/** A client of Parley for one user at a time. */
export function createClient(options: ClientOptions = {}): ParleyClient {
  return new ParleyClient(options);
}

/**
 * Everything an application needs of Parley. It keeps a copy of the user's conversations that ends where the server's log
 * is, whatever happened in between, and sends what was written once, in order, whenever it can.
 */
export class ParleyClient {
  /** Signing in and out, and who one is. */
  readonly account: Account;
  /** Opening conversations, loading what is in them, reading and typing. */
  readonly conversations: Conversations;
  /** Writing messages, and changing those that stand. */
  readonly messages: Messages;
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

  private readonly parts: Assembly;

  /** @internal */
  constructor(options: ClientOptions) {
    const parts = assemble(options);
    this.parts = parts;
    this.account = parts.account;
    this.conversations = parts.conversations;
    this.messages = parts.messages;
    this.api = parts.api;
    this.store = parts.store;
    this.presence = parts.presence;
    this.state = parts.state;
    this.maxMessageLength = parts.connectionLife.maxMessageLength;
  }

  /** Who is signed in. */
  get user(): User | undefined {
    return this.parts.session.user;
  }

  /**
   * Connects, and stays connected until `disconnect` or `account.logout`. Resolves at the first time that everything is
   * synchronized; rejects where the session is over. Nobody has to wait for it.
   */
  connect(): Promise<void> {
    return this.parts.connectionLife.connect();
  }

  /**
   * Disconnects, stores what is not yet stored, and ends what iterates over events. Nothing holds the client any more,
   * and it hears of no other tab; `connect` begins anew.
   */
  disconnect(): Promise<void> {
    return this.parts.connectionLife.disconnect();
  }

  /** Tries to connect now rather than after the wait: the person asked for it. */
  reconnect(): void {
    this.parts.connectionLife.reconnect();
  }

  /** Calls `callback` at each event of a kind; returns what ends that. */
  on<K extends EventName>(event: K, callback: (data: ParleyEvents[K]) => void): () => void {
    return this.parts.emitter.on(event, callback);
  }

  /** All events from now on, for `for await`. A reader that falls 1,000 behind is told so by `lagged`. */
  events(): AsyncIterableIterator<ParleyEvent> {
    return this.parts.emitter.events();
  }

  // The facets' methods under the names that they had before

  /** @deprecated It is `account.register`. */
  readonly register: Account['register'] = (...given) => this.account.register(...given);
  /** @deprecated It is `account.login`. */
  readonly login: Account['login'] = (...given) => this.account.login(...given);
  /** @deprecated It is `account.resume`. */
  readonly resume: Account['resume'] = (...given) => this.account.resume(...given);
  /** @deprecated It is `account.logout`. */
  readonly logout: Account['logout'] = (...given) => this.account.logout(...given);
  /** @deprecated It is `account.updateProfile`. */
  readonly updateProfile: Account['updateProfile'] = (...given) => this.account.updateProfile(...given);
  /** @deprecated It is `conversations.openDirect`. */
  readonly openDirect: Conversations['openDirect'] = (...given) => this.conversations.openDirect(...given);
  /** @deprecated It is `conversations.createGroup`. */
  readonly createGroup: Conversations['createGroup'] = (...given) => this.conversations.createGroup(...given);
  /** @deprecated It is `conversations.open`. */
  readonly open: Conversations['open'] = (...given) => this.conversations.open(...given);
  /** @deprecated It is `conversations.loadOlder`. */
  readonly loadOlder: Conversations['loadOlder'] = (...given) => this.conversations.loadOlder(...given);
  /** @deprecated It is `conversations.loadBackTo`. */
  readonly loadBackTo: Conversations['loadBackTo'] = (...given) => this.conversations.loadBackTo(...given);
  /** @deprecated It is `conversations.loadParticipants`. */
  readonly loadParticipants: Conversations['loadParticipants'] = (...given) =>
    this.conversations.loadParticipants(...given);
  /** @deprecated It is `conversations.read`. */
  readonly read: Conversations['read'] = (...given) => this.conversations.read(...given);
  /** @deprecated It is `conversations.typing`. */
  readonly typing: Conversations['typing'] = (...given) => this.conversations.typing(...given);
  /** @deprecated It is `messages.send`. */
  readonly send: Messages['send'] = (...given) => this.messages.send(...given);
  /** @deprecated It is `messages.retry`. */
  readonly retry: Messages['retry'] = (...given) => this.messages.retry(...given);
  /** @deprecated It is `messages.discard`. */
  readonly discard: Messages['discard'] = (...given) => this.messages.discard(...given);
  /** @deprecated It is `messages.edit`. */
  readonly edit: Messages['edit'] = (...given) => this.messages.edit(...given);
  /** @deprecated It is `messages.delete`. */
  readonly delete: Messages['delete'] = (...given) => this.messages.delete(...given);
  /** @deprecated It is `messages.react`. */
  readonly react: Messages['react'] = (...given) => this.messages.react(...given);
  /** @deprecated It is `messages.unreact`. */
  readonly unreact: Messages['unreact'] = (...given) => this.messages.unreact(...given);
}
