import type { Entry, Message, Tokens, User } from '../../protocol/resources.ts';
import { passBetweenNodes } from './between-nodes.ts';
import { eventually } from './eventually.ts';
import type { TestServer } from './server.ts';
import { type SocketOptions, TestSocket } from './socket.ts';

/** An answer of the server, whatever its status. */
export interface Answer<T = any> {
  status: number;
  body: T;
  headers: Headers;
}

/**
 * One request over REST, on a connection of its own: of one that was kept, nobody knows whether the server is about to close
 * it. `body` is sent as JSON, a string as it is.
 */
export async function request<T = any>(
  server: { url: string },
  method: string,
  path: string,
  options: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<Answer<T>> {
  const headers = new Headers(options.headers);
  if (options.token !== undefined) headers.set('authorization', `Bearer ${options.token}`);
  if (options.body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  const body = typeof options.body === 'string' ? options.body : JSON.stringify(options.body);
  const url = path.startsWith('/api') || path.startsWith('/ws') ? path : `/api/v1${path}`;
  const response = await fetch(server.url + url, { method, headers, body, redirect: 'manual', keepalive: false });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

/** By which code an access token is refused, once its session has ended on every node. */
export function refusalOf(server: { url: string }, token: string): Promise<string> {
  return eventually('the session is refused', async () => {
    const { status, body } = await request(server, 'GET', '/auth/me', { token });
    return status === 401 && body.code;
  });
}

/** Somebody with an account, signed in. */
export class Person {
  constructor(
    readonly server: TestServer,
    readonly user: User,
    public tokens: Tokens,
    readonly password: string,
  ) {}

  get id(): string {
    return this.user.id;
  }

  /** The same account at another server on the same data. */
  at(server: TestServer): Person {
    return new Person(server, this.user, this.tokens, this.password);
  }

  call<T = any>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    return request<T>(this.server, method, path, { body, token: this.tokens.access_token });
  }

  /** By which code the session is refused once it has ended: other nodes hear of the end a moment after the answer. */
  refusal(): Promise<string> {
    return refusalOf(this.server, this.tokens.access_token);
  }

  /** A socket of `parley.v1` that is ready. */
  async connect(): Promise<TestSocket> {
    const socket = await this.open({ protocols: ['parley.v1', `parley.token.${this.tokens.access_token}`] });
    await socket.next('ready');
    return socket;
  }

  /** A socket of plain mode, as `wscat` opens it. */
  connectPlain(query = ''): Promise<TestSocket> {
    return this.open({ query: `?token=${this.tokens.access_token}${query}` });
  }

  open(options: SocketOptions): Promise<TestSocket> {
    return TestSocket.open(this.server, options);
  }

  /** The direct conversation with another; every node has heard of it. */
  direct(other: Person): Promise<string> {
    return this.begin({ participant_id: other.id });
  }

  /** A group with others, and this person as its admin; every node has heard of it. */
  group(others: Person[], name = 'A group'): Promise<string> {
    return this.begin({ name, participant_ids: others.map((person) => person.id) });
  }

  private async begin(body: object): Promise<string> {
    const answer = await this.call<Entry>('POST', '/conversations', body);
    // Or whoever connects to another node now is told of it a moment later.
    await passBetweenNodes(this.server);
    return answer.body.conversation.id;
  }

  async send(conversationId: string, content: string, client_id?: string): Promise<Message> {
    const answer = await this.call<Message>('POST', `/conversations/${conversationId}/messages`, {
      content,
      client_id,
    });
    if (answer.status >= 300) throw new Error(`sending failed: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** All messages of a conversation, oldest first. */
  async history(conversationId: string): Promise<Message[]> {
    let messages: Message[] = [];
    let cursor = '';
    do {
      const { body } = await this.call('GET', `/conversations/${conversationId}/messages?limit=100${cursor}`);
      messages = [...body.messages, ...messages];
      cursor = body.has_more ? `&cursor=${body.next_cursor}` : '';
    } while (cursor !== '');
    return messages;
  }
}

let people = 0;

/** A new account. Names are unique within a run. */
export async function signUp(server: TestServer, name = 'person'): Promise<Person> {
  const username = `${name}-${process.pid}-${++people}`;
  const password = 'correct horse battery';
  const { status, body } = await request(server, 'POST', '/auth/register', {
    body: { email: `${username}@example.com`, username, password },
  });
  if (status !== 201) throw new Error(`signing up failed: ${status} ${JSON.stringify(body)}`);
  return new Person(server, body.user, body.tokens, password);
}

/** Several new accounts. */
export function signUpAll<const Names extends string[]>(
  server: TestServer,
  ...names: Names
): Promise<{ [K in keyof Names]: Person }> {
  return Promise.all(names.map((name) => signUp(server, name))) as Promise<{ [K in keyof Names]: Person }>;
}
