import { signUp } from '../../support/people.ts';
import type { Host } from './host.ts';
import { Line } from './line.ts';
import { Network, Record } from './network.ts';

/** How long an answer may take before it counts as lost, in milliseconds. */
const PATIENCE_MS = 10_000;

/** An answer over REST; undefined where none came. */
export interface Answer {
  status: number;
  body: any;
}

/** Somebody of a model: an account, and all that ever reached it since the last `forget`. */
export class Person {
  record = new Record();
  /** For calls over REST, and for sockets without a store. */
  desk = new Network(this.record);
  /** One of these is the password: the change to the first may have gone wrong half-way. */
  private passwords: string[];
  private changes = 0;
  private lines = new Map<'v1' | 'plain', Line>();

  private constructor(
    readonly host: Host,
    readonly id: string,
    readonly username: string,
    readonly token: string,
    readonly account: { user: any; tokens: any },
    password: string,
  ) {
    this.passwords = [password];
  }

  static async signUp(host: Host, name: string): Promise<Person> {
    const { user, tokens, password } = await signUp(host.server, name);
    return new Person(host, user.id, user.username, tokens.access_token, { user, tokens }, password);
  }

  /** One call over REST, written down; undefined where the server could not be reached or could not do it. */
  async call(method: string, path: string, body?: unknown, token = this.token): Promise<Answer | undefined> {
    try {
      const response = await this.desk.fetch(`${this.host.url}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (response.status >= 500) return undefined;
      return { status: response.status, body: await response.json() };
    } catch {
      return undefined;
    }
  }

  /** Another session; its token, or undefined where that could not be. */
  async signIn(): Promise<string | undefined> {
    const { user } = this.account;
    for (const password of this.passwords) {
      const answer = await this.call('POST', '/auth/login', { username: user.username, password });
      if (answer?.status === 200) return answer.body.tokens.access_token;
    }
    return undefined;
  }

  /** Takes another password, by which every other session ends. */
  async changePassword(): Promise<boolean> {
    const next = `another correct horse ${++this.changes}`;
    for (const current of [...this.passwords]) {
      this.passwords.unshift(next);
      const answer = await this.call('POST', '/auth/password', { current_password: current, new_password: next });
      if (answer === undefined) return false; // nobody knows which it is now
      if (answer.status === 200) {
        this.passwords = [next];
        return true;
      }
      this.passwords.shift();
    }
    return false;
  }

  /** A socket without a store, opened when it is first needed and after it was lost. */
  async line(mode: 'v1' | 'plain'): Promise<Line | undefined> {
    const known = this.lines.get(mode);
    if (known?.isOpen) return known;
    const line = await Line.open(this.desk, this.host.server.socketUrl, this.token, mode);
    if (line) this.lines.set(mode, line);
    return line;
  }

  /** Ends what is open and begins a new record. */
  startAnew(): void {
    this.desk.cut();
    // Whoever may still hold it: it is large.
    this.record.heard.length = 0;
    this.record = new Record();
    this.desk = new Network(this.record);
    this.lines = new Map();
  }
}
