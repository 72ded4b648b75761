import { expect } from 'bun:test';
import type { Message } from '../protocol/resources.ts';
import type { Person } from '../tests/support/people.ts';
import type { TestServer } from '../tests/support/server.ts';
import type { Socket } from './connection.ts';
import { type ClientOptions, createClient, type Observable, type ParleyClient } from './index.ts';

/** What the tests of the SDK share. */

// biome-ignore lint/suspicious/noExplicitAny: a frame as it is on the wire
type Frame = Record<string, any>;

type Listener = (event: Event) => void;

/** How long something that must come about may take, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Sockets whose other end a test can lose: it sees what is sent, and can swallow what comes. */
export class Wire {
  /** All frames that the client sent, over all of its sockets. */
  readonly sent: Frame[] = [];
  /** Frames that come and for which this says true are lost. */
  loses: (frame: Frame) => boolean = () => false;
  private readonly open = new Set<WebSocket>();
  private isDown = false;

  /** The constructor to be handed to a client. */
  readonly WebSocket = this.makeConstructor();

  constructor(private readonly headers?: () => Record<string, string>) {}

  /** Cuts the connection, without a word. */
  cut(): void {
    for (const socket of [...this.open]) (socket as unknown as { terminate(): void }).terminate();
  }

  /** Cuts the connection, and lets no other come about until `up`. */
  down(): void {
    this.isDown = true;
    this.cut();
  }

  up(): void {
    this.isDown = false;
  }

  sends(event: string): Frame[] {
    return this.sent.filter((frame) => frame.event === event);
  }

  private makeConstructor(): new (url: string, protocols: string[]) => Socket {
    const wire = this;
    return class implements Socket {
      onopen: unknown;
      onmessage: Listener | null = null;
      onclose: Listener | null = null;
      onerror: unknown;
      private readonly raw: WebSocket;

      constructor(url: string, protocols: string[]) {
        const target = wire.isDown ? 'ws://127.0.0.1:1/ws' : url;
        this.raw = new WebSocket(target, { protocols, headers: wire.headers?.() } as unknown as string[]);
        wire.open.add(this.raw);
        this.raw.onmessage = (event) => {
          if (!wire.loses(JSON.parse(String(event.data)))) this.onmessage?.(event);
        };
        this.raw.onclose = (event) => {
          wire.open.delete(this.raw);
          this.onclose?.(event);
        };
      }

      get readyState(): number {
        return this.raw.readyState;
      }

      send(text: string): void {
        wire.sent.push(JSON.parse(text));
        this.raw.send(text);
      }

      close(code?: number): void {
        this.raw.close(code);
      }
    };
  }
}

/** What a browser does with cookies that no script can see. */
export class CookieJar {
  private readonly cookies = new Map<string, string>();

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set('cookie', this.header);
    const response = await fetch(url, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';')[0]!.split('=');
      if (value === '' || /max-age=0/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  };

  get header(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }
}

const clients = new Set<ParleyClient>();

/** Waits that suit a test. */
const SOON = { baseMs: 50, capMs: 300 };

/** A client that is disconnected when the test is over. What fails in the background is shown. */
export function client(server: TestServer, options: ClientOptions = {}): ParleyClient {
  const made = createClient({ baseUrl: server.url, backoff: SOON, ...options });
  clients.add(made);
  return made;
}

/** A client that is signed in as somebody, and online. */
export async function online(person: Person, options: ClientOptions = {}): Promise<ParleyClient> {
  const made = client(person.server, options);
  await made.account.login({ email: person.user.email, password: person.password });
  await made.connect();
  return made;
}

export async function endClients(): Promise<void> {
  await Promise.all([...clients].map((one) => one.disconnect()));
  clients.clear();
}

/** The first value of an observable that is as wanted. */
export function until<T>(what: string, observable: Observable<T>, isWanted: (value: T) => boolean): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => {
    reject(new Error(`in ${PATIENCE_MS} ms not: ${what}; it is ${JSON.stringify(observable.get())?.slice(0, 2000)}`));
  }, PATIENCE_MS);
  const stop = observable.subscribe((value) => {
    if (isWanted(value)) resolve(value);
  });
  return promise.finally(() => {
    clearTimeout(timer);
    stop();
  });
}

/** Resolves when a conversation's newest stored message, as the client holds it, is this one. */
export function holds(one: ParleyClient, conversationId: string, content: string): Promise<unknown> {
  return until(`the message "${content}"`, one.store.conversation(conversationId), (view) => {
    return view?.last_message?.content === content && view.last_message.seq > 0;
  });
}

/** The contents of a conversation's loaded messages that people wrote. */
export function contents(one: ParleyClient, conversationId: string): string[] {
  return one.store
    .messages(conversationId)
    .get()
    .filter(({ type }) => type === 'text')
    .map(({ content }) => content);
}

/** Resolves when a client holds of a conversation exactly what the server tells of it. */
export async function agrees(one: ParleyClient, person: Person, conversationId: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const [held, read] = [await asHeld(one, conversationId), await asRead(person, conversationId)];
    if (Bun.deepEquals(held, read)) return;
    if (Date.now() > deadline) {
      expect(held).toEqual(read);
      return;
    }
    await Bun.sleep(50);
  }
}

/** A conversation as the server tells it: what a store that has missed nothing must equal. */
async function asRead(person: Person, conversationId: string): Promise<unknown> {
  const [entry, messages] = await Promise.all([
    person.call('GET', `/conversations/${conversationId}`),
    person.history(conversationId),
  ]);
  const { conversation, participants, unread_count } = entry.body;
  return JSON.parse(JSON.stringify(comparable(conversation, participants, unread_count, messages)));
}

/** The same of a client's store. */
async function asHeld(one: ParleyClient, conversationId: string): Promise<unknown> {
  await one.conversations.open(conversationId);
  while (await one.conversations.loadOlder(conversationId, 100));
  const view = one.store.conversation(conversationId).get()!;
  const stored = one.store
    .messages(conversationId)
    .get()
    .filter(({ seq }) => seq > 0);
  const messages = stored.map(({ key, mine, status, error, ...message }) => message);
  return JSON.parse(JSON.stringify(comparable(view.conversation, [...view.participants], view.unread_count, messages)));
}

function comparable(conversation: Frame, participants: Frame[], unread_count: number, messages: Message[]): unknown {
  const { updated_at: _, ...rest } = conversation;
  const byId = participants.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { conversation: rest, participants: byId, unread_count, messages };
}
