import { type AfterClose, CLOSE, CLOSE_CODES, type CloseCode } from '../protocol/close-codes.ts';
import { SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from '../protocol/limits.ts';
import { type BackoffOptions, backoff } from './backoff.ts';
import { ParleyError } from './errors.ts';
import type { ClientFrame, FrameOf, ServerFrame } from './protocol.ts';
import { callSafely } from './store/observable.ts';

/** What of a WebSocket the SDK uses; the browser's, Node's, Bun's and the one of `ws` have it. */
export interface Socket {
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  /** 1 while it is open. */
  readonly readyState: number;
  send(text: string): void;
  close(code?: number): void;
}
export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** `WebSocket.OPEN`. */
const OPEN = 1;

export interface ConnectionOptions {
  url: string;
  WebSocket: SocketConstructor;
  /** A token that holds, or undefined where cookies do it. Fails with `sign_in` where the session is over. */
  token(): Promise<string | undefined>;
  /**
   * Whether to come back with this session; asked when a socket was refused, for a browser does not say why, and when one was
   * closed with `session_over`, which a second factor or a restriction is told by too.
   */
  checkSession(code: number): Promise<boolean>;
  /** A socket is being opened. */
  onConnecting(): void;
  onReady(frame: FrameOf<'ready'>): void;
  onFrame(frame: ServerFrame): void;
  /** The socket is gone; `isFinal`: and no other will follow. */
  onDown(code: number, isFinal: boolean): void;
  backoff?: BackoffOptions;
}

/** How long a server may take to open a socket and say that it is ready, in milliseconds. */
const OPEN_MS = 15_000;
/** A connection that held for so long was a good one: the next failure is a new story. */
const STABLE_MS = 5000;
const LOST = 1006;

/** One socket, and another when it is lost, until `stop`. */
export class Connection {
  private socket: Socket | undefined;
  private isWanted = false;
  /** Counts attempts to connect: what belongs to an earlier one means nothing any more. */
  private turn = 0;
  private failures = 0;
  private readyAt = 0;
  private heardAt = 0;
  /** Not before this: the server said when to come back. */
  private notBefore = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private heartbeat: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly options: ConnectionOptions) {}

  start(): void {
    if (this.isWanted) return;
    this.isWanted = true;
    this.failures = 0;
    globalThis.addEventListener?.('online', this.wake);
    void this.open();
  }

  stop(): void {
    if (!this.isWanted) return;
    this.end();
    this.options.onDown(1000, true);
  }

  /** Tries again now rather than later. */
  readonly wake = (): void => {
    if (this.retryTimer === undefined) return;
    void this.open();
  };

  send(frame: ClientFrame): boolean {
    // One that is closing takes frames, and throws them away.
    if (this.socket?.readyState !== OPEN || this.readyAt === 0) return false;
    try {
      this.socket.send(JSON.stringify(frame));
      return true;
    } catch {
      return false;
    }
  }

  /** Gives this socket up for another. */
  drop(): void {
    if (this.socket) this.lost(this.socket, LOST);
  }

  private async open(): Promise<void> {
    const turn = ++this.turn;
    this.clearTimers();
    this.options.onConnecting();
    try {
      const token = await this.options.token();
      if (turn === this.turn) this.openSocket(token);
    } catch (error) {
      if (turn !== this.turn) return;
      if (ParleyError.from(error).action === 'sign_in') this.giveUp(LOST);
      else this.retryLater();
    }
  }

  private openSocket(token: string | undefined): void {
    const protocols = token === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX + token];
    const socket = new this.options.WebSocket(this.options.url, protocols);
    this.socket = socket;
    this.readyAt = 0;
    socket.onmessage = ({ data }: { data: unknown }) => this.hear(socket, String(data));
    socket.onclose = ({ code }: { code: number }) => this.lost(socket, code);
    socket.onerror = () => {}; // the close that follows says all there is to know
    this.deadline = setTimeout(() => this.lost(socket, LOST), OPEN_MS);
  }

  private hear(socket: Socket, text: string): void {
    if (socket !== this.socket) return;
    this.heardAt = Date.now();
    let frame: ServerFrame;
    try {
      frame = JSON.parse(text);
    } catch {
      return; // nothing that Parley would send
    }
    if (frame.event === 'ready') this.ready(frame);
    else if (frame.event === 'draining') this.drain(frame);
    callSafely(this.options.onFrame, frame);
  }

  private ready(frame: FrameOf<'ready'>): void {
    clearTimeout(this.deadline);
    this.readyAt = Date.now();
    const { heartbeat_ms } = frame;
    this.heartbeat = setInterval(() => this.watch(heartbeat_ms), heartbeat_ms / 2);
    this.options.onReady(frame);
  }

  /** Browsers do not show a server's pings, so the client asks when it has heard nothing for a while. */
  private watch(periodMs: number): void {
    const silence = Date.now() - this.heardAt;
    if (silence >= 2 * periodMs) this.drop();
    else if (silence >= periodMs) this.send({ event: 'ping' });
  }

  /** The server is about to go. It may take its time, or be gone at once: the next connection comes when it said. */
  private drain({ retry_in_ms }: FrameOf<'draining'>): void {
    this.notBefore = Date.now() + retry_in_ms;
    clearTimeout(this.deadline);
    this.deadline = setTimeout(() => this.drop(), retry_in_ms);
  }

  private lost(socket: Socket, code: number): void {
    if (socket !== this.socket) return;
    const wasReady = this.readyAt > 0;
    if (wasReady && Date.now() - this.readyAt >= STABLE_MS) this.failures = 0;
    this.letGo();
    const after: AfterClose = CLOSE_CODES[code as CloseCode]?.after ?? 'reconnect';
    const isOver = code === CLOSE.SESSION_OVER;
    if (after === 'stop' && !isOver) {
      this.giveUp(code);
      return;
    }
    this.options.onDown(code, false);
    if (wasReady && !isOver) this.retryLater();
    else void this.askWhy(code);
  }

  /** A socket that never opened: the network, or the session. */
  private async askWhy(code: number): Promise<void> {
    const { turn } = this;
    const holds = await this.options.checkSession(code).catch(() => true);
    if (turn !== this.turn || !this.isWanted) return;
    if (holds) this.retryLater();
    else this.giveUp(LOST);
  }

  private retryLater(): void {
    if (!this.isWanted) return;
    const floor = this.notBefore - Date.now();
    const wait = Math.max(floor, backoff(this.failures++, this.options.backoff));
    this.retryTimer = setTimeout(() => this.open(), wait);
  }

  private giveUp(code: number): void {
    this.end();
    this.options.onDown(code, true);
  }

  private end(): void {
    this.isWanted = false;
    this.turn++;
    globalThis.removeEventListener?.('online', this.wake);
    this.letGo();
  }

  /** Forgets the socket, which may never answer a close. */
  private letGo(): void {
    this.clearTimers();
    const socket = this.socket;
    this.socket = undefined;
    this.readyAt = 0;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    try {
      socket.close(1000);
    } catch {
      // it was no longer there
    }
  }

  private clearTimers(): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    clearTimeout(this.deadline);
    clearInterval(this.heartbeat);
  }
}
