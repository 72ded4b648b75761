import { passBetweenNodes } from './between-nodes.ts';
import type { TestServer } from './server.ts';

/** A frame as it came. */
export type Frame = Record<string, any>;

export interface SocketOptions {
  /** `/ws` unless it says otherwise. */
  path?: string;
  protocols?: string[];
  query?: string;
  headers?: Record<string, string>;
}

/** How long something that must happen may take, in milliseconds. */
const PATIENCE_MS = 5000;

/** How often in a row nothing must come from other nodes. */
const QUIET_ROUNDS = 2;

type Wanted = string | ((frame: Frame) => boolean);

/** A real WebSocket that remembers what it heard, and waits for what it has not heard yet. */
export class TestSocket {
  /** All frames, in the order in which they came. */
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  private readonly hearers = new Set<() => void>();
  /** Frames up to here were handed out by `next`. */
  private taken = 0;

  private constructor(
    readonly raw: WebSocket,
    private readonly server: TestServer,
  ) {
    raw.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(String(data));
      this.frames.push(...(server.nodes.length > 1 ? oneByOne(frame) : [frame]));
      for (const hear of [...this.hearers]) hear();
    });
    this.closed = new Promise((resolve) => {
      raw.addEventListener('close', ({ code, reason }) => {
        resolve({ code, reason });
        for (const hear of [...this.hearers]) hear();
      });
    });
  }

  /** Resolves when it is open, fails when it is refused. */
  static open(server: TestServer, { path, protocols, query = '', headers }: SocketOptions): Promise<TestSocket> {
    const address = path === undefined ? server.socketUrl : server.url.replace('http', 'ws') + path;
    const raw = new WebSocket(address + query, { protocols, headers } as unknown as string[]);
    const socket = new TestSocket(raw, server);
    return new Promise((resolve, reject) => {
      raw.addEventListener('open', () => resolve(socket));
      void socket.closed.then(({ code }) => reject(new Error(`the socket was refused (${code})`)));
    });
  }

  /** Sends a frame; a string goes as it is. */
  send(frame: Frame | string): void {
    this.raw.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Sends a frame and waits for the answer with its `client_id`. */
  async ask(frame: Frame): Promise<Frame> {
    const client_id = frame.client_id ?? crypto.randomUUID();
    this.send({ ...frame, client_id });
    return this.find((one) => one.client_id === client_id && (one.event === 'ack' || one.event === 'error'));
  }

  /** Sends a message and waits for its ack. */
  async say(conversation_id: string, content: string): Promise<Frame> {
    const answer = await this.ask({ event: 'message.send', conversation_id, content });
    if (answer.event !== 'ack') throw new Error(`not acknowledged: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** The next frame of a kind, behind those that `next` gave before; what is in between is passed over. */
  async next(wanted: Wanted): Promise<Frame> {
    const frame = await this.wait(wanted, () => this.taken);
    this.taken = this.frames.indexOf(frame) + 1;
    return frame;
  }

  /** The first frame of a kind, among all that ever came. */
  find(wanted: Wanted): Promise<Frame> {
    return this.wait(wanted, () => 0);
  }

  /** All frames of a kind so far. */
  all(wanted: Wanted): Frame[] {
    return this.frames.filter(matcher(wanted));
  }

  /** Forgets all frames so far. Nothing may be waited for meanwhile. */
  forget(): void {
    this.frames.length = 0;
    this.taken = 0;
  }

  /**
   * Resolves when all that was sent to this socket before has come: the answer to a frame sent now. What is on its way
   * between several nodes has come when they were asked, all of them, and nothing more did, twice in a row.
   */
  async settle(): Promise<void> {
    if (this.server.nodes.length < 2) return this.pingOnce();
    for (let quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
      const before = this.frames.length;
      await passBetweenNodes(this.server);
      await this.pingOnce();
      const answers = this.raw.protocol === '' ? 0 : 1;
      if (this.frames.length > before + answers) quiet = 0;
    }
  }

  private async pingOnce(): Promise<void> {
    if (this.raw.protocol === '') return this.pingPlain();
    this.send({ event: 'ping' });
    await this.next('pong');
  }

  /** Plain mode has no events: a ping of the WebSocket protocol, which is answered in its turn. */
  private pingPlain(): Promise<void> {
    const raw = this.raw as unknown as EventTarget & { ping(): void };
    return new Promise((resolve, reject) => {
      raw.addEventListener('pong', () => resolve(), { once: true });
      void this.closed.then(({ code }) => reject(new Error(`closed (${code}) before it settled`)));
      raw.ping();
    });
  }

  async close(): Promise<void> {
    this.raw.close();
    await this.closed;
  }

  private wait(wanted: Wanted, from: () => number): Promise<Frame> {
    const matches = matcher(wanted);
    let seen = 0;
    const look = () => {
      for (seen = Math.max(seen, from()); seen < this.frames.length; seen++) {
        if (matches(this.frames[seen]!)) return this.frames[seen];
      }
      return undefined;
    };
    const found = look();
    if (found) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const finish = (end: () => void) => {
        clearTimeout(timer);
        this.hearers.delete(hear);
        end();
      };
      const hear = () => {
        const frame = look();
        if (frame) finish(() => resolve(frame));
        else if (this.raw.readyState === WebSocket.CLOSED) {
          finish(() => reject(new Error(`closed while waiting for ${wanted}: ${this.lastFrames()}`)));
        }
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no ${wanted} in ${PATIENCE_MS} ms: ${this.lastFrames()}`))),
        PATIENCE_MS,
      );
      this.hearers.add(hear);
      hear();
    });
  }

  private lastFrames(): string {
    return JSON.stringify(this.frames.slice(-3));
  }
}

function matcher(wanted: Wanted): (frame: Frame) => boolean {
  return typeof wanted === 'string' ? (frame) => frame.event === wanted : wanted;
}

/**
 * What passes between nodes may be late, and then a client hears of it in a `changes` frame, from the log. One that brings
 * new messages and nothing else says the same as they do one by one.
 */
function oneByOne(frame: Frame): Frame[] {
  const { event, conversation_id, since, reset, conversation, participants, messages } = frame;
  if (event !== 'changes' || reset || conversation || participants || messages.length === 0) return [frame];
  const isPlain = ({ rev, edited_at, deleted_at, reactions, type }: Frame) =>
    rev > since && !edited_at && !deleted_at && !reactions && type !== 'system';
  if (!messages.every(isPlain)) return [frame];
  return messages.map((message: Frame) => ({ event: 'message', ...message, conversation_id }));
}
