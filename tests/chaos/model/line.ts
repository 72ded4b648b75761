import { SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from '../../../protocol/limits.ts';
import type { Frame } from '../../support/socket.ts';
import type { Network } from './network.ts';

/** How long an answer may take before it counts as lost, in milliseconds. */
const PATIENCE_MS = 5000;

/** A bare socket: frames out, and answers to those that carry a key. */
export class Line {
  /** By key; a send that is tried again before it is answered waits beside itself. */
  private readonly waiting = new Map<string, ((answer: Frame | undefined) => void)[]>();

  private constructor(private readonly socket: WebSocket) {
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(String(data)) as Frame;
      if (frame.event === 'ack' || frame.event === 'error') this.settle(frame.client_id, frame);
    });
    socket.addEventListener('close', () => {
      for (const key of [...this.waiting.keys()]) this.settle(key, undefined);
    });
  }

  /** Resolves when it is open; with nothing where it is refused. */
  static open(network: Network, url: string, token: string, mode: 'v1' | 'plain'): Promise<Line | undefined> {
    const socket =
      mode === 'v1'
        ? new network.WebSocket(url, [SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX + token])
        : new network.WebSocket(`${url}?token=${token}`);
    const line = new Line(socket);
    return new Promise((resolve) => {
      // The frames begin with `ready`; plain mode has no such thing.
      socket.addEventListener(mode === 'v1' ? 'message' : 'open', () => resolve(line), { once: true });
      socket.addEventListener('close', () => resolve(undefined), { once: true });
    });
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(frame: Frame): void {
    if (this.isOpen) this.socket.send(JSON.stringify(frame));
  }

  /** Sends a frame and resolves with its `ack` or `error`, or with nothing where the socket was lost before. */
  ask(frame: Frame): Promise<Frame | undefined> {
    if (!this.isOpen) return Promise.resolve(undefined);
    const client_id: string = frame.client_id ?? crypto.randomUUID();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle(client_id, undefined), PATIENCE_MS);
      const settled = (answer: Frame | undefined) => {
        clearTimeout(timer);
        resolve(answer);
      };
      this.waiting.set(client_id, [...(this.waiting.get(client_id) ?? []), settled]);
      this.send({ ...frame, client_id });
    });
  }

  private settle(key: string, answer: Frame | undefined): void {
    const waiting = this.waiting.get(key) ?? [];
    this.waiting.delete(key);
    for (const settled of waiting) settled(answer);
  }
}
