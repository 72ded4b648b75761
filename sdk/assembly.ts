import { Api } from './api.ts';
import { MessageChanges } from './changes.ts';
import { Connection, type SocketConstructor } from './connection.ts';
import { ConnectionLife } from './connection-life.ts';
import type { ParleyError } from './errors.ts';
import { Emitter } from './events.ts';
import { Account } from './facets/account.ts';
import { Conversations } from './facets/conversations.ts';
import { Messages } from './facets/messages.ts';
import { Http } from './http.ts';
import { Live } from './live.ts';
import { defaultLocks } from './locks.ts';
import { MarkSender } from './marks.ts';
import type { ClientOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import { Presence } from './presence.ts';
import type { ClientFrame } from './protocol.ts';
import { Session } from './session.ts';
import { StateTeller } from './state-teller.ts';
import { IndexedDbStorage } from './storage/indexeddb.ts';
import { MemoryStorage } from './storage/memory.ts';
import type { Storage } from './storage/storage.ts';
import { Persistence } from './store/persistence.ts';
import { presentOutgoing } from './store/present.ts';
import { Store } from './store/store.ts';
import { Synchronizer } from './sync/synchronizer.ts';
import { TabTalk } from './tab-talk.ts';
import { Tabs } from './tabs.ts';
import { Typing } from './typing.ts';
import { UserLife } from './user-life.ts';

/** The parts that a client shows. */
export interface Assembly {
  api: Api;
  session: Session;
  store: Store;
  presence: Presence;
  state: StateTeller;
  emitter: Emitter;
  connectionLife: ConnectionLife;
  account: Account;
  conversations: Conversations;
  messages: Messages;
}

/** Makes the parts of a client, each with those that it needs. What a part tells goes to one that may be made later. */
export function assemble(options: ClientOptions): Assembly {
  const { auth = 'token', locks = defaultLocks(), backoff } = options;
  const baseUrl = (options.baseUrl ?? globalThis.location?.origin ?? '').replace(/\/+$/, '');
  const storage = options.storage ?? defaultStorage(baseUrl);
  const http = new Http({
    baseUrl,
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    timeoutMs: options.timeoutMs ?? 15_000,
    credentials: auth === 'cookie' ? 'include' : 'omit',
  });
  const emitter = new Emitter();
  const state = new StateTeller(emitter);
  const send = (frame: ClientFrame) => connection.send(frame);
  const onError = (error: ParleyError) => emitter.emit('error', error);

  const session = new Session({
    http,
    storage,
    locks,
    mode: auth,
    onChange: (user) => tabTalk.changed(user),
    onOver: (reason) => userLife.ended(reason),
  });
  const api = new Api(http, session);
  const store: Store = new Store({
    outgoing: (id) => outbox.of(id),
    typing: (id) => typing.in(id),
    onChange: (id) => persistence.note(id),
  });
  const persistence = new Persistence(storage, store, onError);
  const outbox: Outbox = new Outbox({
    storage,
    send,
    backoff,
    onError,
    onSilence: () => connection.drop(),
    onChange: (item) => store.touch(item.conversation_id),
    onFailed: (item) => emitter.emit('failed', presentOutgoing(item, store.me)),
    tell: (kind, item) => tabTalk.tell(kind, item),
  });
  const tabs = new Tabs(storage.name, locks, (news) => tabTalk.hear(news));
  const synchronizer: Synchronizer = new Synchronizer({
    api,
    store,
    backoff,
    onAdvance: (copy, news) => live.advanced(copy, news),
    onRemoved: (conversation_id) => emitter.emit('conversation.removed', { conversation_id }),
    onHead: (head, copy) => live.sayMarksAgain(head, copy),
    onOtherHistory: () => {
      store.clear();
      connection.drop();
    },
    onError,
  });
  const typing = new Typing(send, (id) => store.touch(id));
  const marks = new MarkSender(send);
  const presence = new Presence(send);
  const connection: Connection = new Connection({
    url: `${baseUrl.replace(/^http/, 'ws')}/ws`,
    WebSocket: (options.WebSocket ?? globalThis.WebSocket) as SocketConstructor,
    backoff,
    token: () => session.token(),
    checkSession: (code) => connectionLife.checkSession(code),
    onConnecting: () => state.set('connecting'),
    onReady: (frame) => connectionLife.ready(frame),
    onFrame: (frame) => live.hear(frame),
    onDown: (code, isFinal) => connectionLife.down(code, isFinal),
  });
  const changes = new MessageChanges({ api, store, backoff });
  const onDraining = () => state.set('draining');
  const live: Live = new Live({ store, synchronizer, outbox, typing, presence, marks, emitter, onDraining });

  const life = { storage, session, persistence, outbox, tabs, presence, state, emitter };
  const connectionLife = new ConnectionLife({ ...life, connection, api, synchronizer, typing, marks });
  const userLife = new UserLife({ ...life, connection: connectionLife, store });
  const tabTalk = new TabTalk({ tabs, session, store, outbox, connection, userLife });
  const account = new Account({ api, session, userLife, onError });
  const conversations = new Conversations({ api, session, store, synchronizer, marks, tabs, typing });
  const messages = new Messages({ session, store, outbox, changes, typing });
  return { api, session, store, presence, state, emitter, connectionLife, account, conversations, messages };
}

function defaultStorage(baseUrl: string): Storage {
  return typeof indexedDB === 'undefined' ? new MemoryStorage() : new IndexedDbStorage(`parley ${baseUrl}`);
}
