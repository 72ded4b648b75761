import type { ServerWebSocket } from 'bun';
import type { z } from 'zod';
import { CLOSE, CLOSE_CODES, type CloseCode } from '../../protocol/close-codes.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { ServerFrame } from '../../protocol/events.ts';
import {
  FRAME_BURST_BYTES,
  MAX_BAD_FRAMES,
  MAX_CLIENT_ID_LENGTH,
  MAX_UNANSWERED_SENDS,
  MAX_WAITING_BYTES,
  MAX_WAITING_FRAMES,
  SMALL_FRAME_BYTES,
} from '../../protocol/limits.ts';
import type { Actor } from '../shared/actor.ts';
import { parseBoundedJson } from '../shared/bounded-json.ts';
import { ParleyError, toParleyError, validationFailed } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { type Ack, ackFrame, errorFrame, plainErrorFrame } from './answers.ts';
import type { FrameBudget } from './frame-budget.ts';
import { Inbox } from './inbox.ts';
import type { LocalSocket, LocalUser } from './local-user.ts';
import type { Turns } from './turns.ts';
import type { TypingSignals } from './typing.ts';

/** What a socket asked for when it opened. */
export interface ConnectionOptions {
  /** Events of `parley.v1`, or flat messages only. */
  mode: 'v1' | 'plain';
  /** Plain mode: whether the socket hears what it sends itself. */
  echo: boolean;
  sessionId: string;
  /** When the session ends by itself, in milliseconds since the Unix epoch. */
  expiresAt: number;
  /** Of its handshake: what is logged of the socket names both. */
  address: string;
  requestId: string;
  /** To be called when the socket is gone. */
  onGone(): void;
}

/** What a frame of one kind must be, and what it does. */
export interface FrameHandler<Frame = unknown> {
  schema: z.ZodType<Frame>;
  /** A promise where the frames behind it must wait. */
  handle(connection: Connection, frame: Frame): Promise<void> | undefined;
  /** Whether it is taken by a server that is about to go, too. */
  isAlwaysTaken?: boolean;
  /** Whether it may have more than `SMALL_FRAME_BYTES`. */
  isLarge?: boolean;
}

export interface ConnectionDeps {
  /** What a frame of this event does, if it is one. */
  findHandler(event: unknown): FrameHandler | undefined;
  typing: TypingSignals;
  /** Fails with `conversation_not_found` for who is not in it. */
  requireMembership(actor: Actor, conversationId: string): Promise<unknown>;
  /** What a new socket of a user may send. */
  openBudget(userId: string): FrameBudget;
  /** Where frames of sockets that send many are handled in turn. */
  turns: Turns;
  log: Logger;
  /** Counts errors by their code. */
  failed(code: ErrorCode): void;
  /** Whether the server is about to go, and takes no new work. */
  isDraining(): boolean;
}

/** The event that a frame names first, as clients write it: found without reading the rest. */
const FIRST_EVENT = /^\s*\{\s*"event"\s*:\s*"([^"\\]*)"/;

const SHUT_OUT = 'a socket was shut out';
const TOO_MANY_WAIT = 'too many frames wait';
const TOO_MANY_BYTES = 'too many bytes were sent';
/** The runtime itself ends such a socket, with a reason; without one the connection was lost. */
const BROKEN = 'what it sent is no frame that is allowed';
const LOST = 1006;

let nextKey = 1;

/** One socket of a signed-in user: reads its frames in order, and answers each. */
export class Connection implements LocalSocket {
  /** Names this socket on this node. */
  readonly key = nextKey++;
  socket!: ServerWebSocket<Connection>;
  /** When its other side last gave a sign of life. */
  lastHeard = Date.now();
  lastPing = Date.now();
  /** Texts; undefined stands for a frame of bytes. */
  private readonly inbox: Inbox<string | undefined>;
  private readonly budget: FrameBudget;
  private unanswered = 0;
  /** Acks of this turn of the event loop. */
  private acks: string[] | undefined;
  private badFrames = 0;
  /** Codes of refusals that were logged; made with the first, which few ever have. */
  private logged: Set<ErrorCode> | undefined;
  private closed = false;

  constructor(
    readonly user: LocalUser,
    readonly options: ConnectionOptions,
    readonly deps: ConnectionDeps,
  ) {
    this.budget = deps.openBudget(user.id);
    this.inbox = new Inbox({
      limit: MAX_WAITING_FRAMES,
      maxBytes: FRAME_BURST_BYTES + MAX_WAITING_BYTES,
      handle: (frame) => this.read(frame),
      turns: deps.turns,
    });
  }

  get isPlain(): boolean {
    return this.options.mode === 'plain';
  }

  get sessionId(): string {
    return this.options.sessionId;
  }

  /** Who acts by it. */
  get actor(): Actor {
    return { userId: this.user.id, username: this.user.username };
  }

  receive(frame: string | Buffer): void {
    this.lastHeard = Date.now();
    if (this.closed) return;
    const now = performance.now();
    const bytes = Buffer.byteLength(frame);
    const due = this.budget.take(bytes, now);
    if (due === undefined) this.shutOut(CLOSE.TOO_MUCH, TOO_MANY_BYTES);
    else if (!this.inbox.put(typeof frame === 'string' ? frame : undefined, bytes, now, due)) {
      this.shutOut(CLOSE.TOO_MUCH, TOO_MANY_WAIT);
    }
  }

  /** A ping or a pong came, which the runtime itself answers: it counts as every frame does. */
  heard({ length }: Buffer): void {
    this.lastHeard = Date.now();
    if (this.closed || this.budget.take(length, performance.now()) !== undefined) return;
    this.shutOut(CLOSE.TOO_MUCH, TOO_MANY_BYTES);
  }

  send(frame: ServerFrame): void {
    this.sendText(JSON.stringify(frame));
  }

  /** Sends a frame that was written as JSON already, for more than one. */
  sendText(text: string): void {
    // What send returns is of no use: a reader that lags too far behind is cut by the socket itself.
    if (!this.closed) this.socket.send(text);
  }

  /** Whether its user is in a conversation, as far as this node has heard. */
  hears(conversationId: string): boolean {
    return this.user.conversations.has(conversationId);
  }

  ping(now: number): void {
    this.lastPing = now;
    this.socket.ping();
  }

  /** Ends a socket whose other side is silent: there is nobody to say goodbye to. */
  cut(): void {
    this.ended();
    this.socket.terminate();
  }

  close(code: CloseCode): void {
    if (this.closed) return;
    this.sendAcks();
    this.ended();
    this.socket.close(code, CLOSE_CODES[code].name);
  }

  /** To be called when the socket is gone: what waits is dropped, what was already sent is still written. */
  ended(): void {
    if (!this.closed) this.budget.release();
    this.closed = true;
    this.inbox.close();
  }

  /** To be called when the socket is gone, with what the runtime says of it. */
  gone(code: number, reason: string): void {
    if (!this.closed && code === LOST && reason !== '') this.logLine({ close_code: code, why: BROKEN }, SHUT_OUT);
    this.ended();
  }

  /** Closes a socket that does what no good client does. */
  private shutOut(code: CloseCode, why: string): void {
    this.logLine({ close_code: code, why }, SHUT_OUT);
    this.close(code);
  }

  /** Which socket of whom a line is about, never what it said. */
  private logLine(fields: object, message: string): void {
    const { requestId: request_id, address } = this.options;
    this.deps.log.info({ request_id, address, user_id: this.user.id, ...fields }, message);
  }

  /** One frame; a promise where the frames behind it must wait. */
  private read(text: string | undefined): Promise<void> | undefined {
    if (text === undefined) {
      this.refuse(new ParleyError('invalid_json', 'Send text frames of JSON'));
      return undefined;
    }
    const isLarge = isLargerThan(SMALL_FRAME_BYTES, text);
    if (isLarge && !this.mayBeLarge(FIRST_EVENT.exec(text)?.[1])) return undefined;
    let frame: unknown;
    try {
      frame = parseBoundedJson(text, 'frame');
    } catch (error) {
      this.refuse(toParleyError(error));
      return undefined;
    }
    if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) {
      this.refuse(new ParleyError('invalid_json', 'A frame must be a JSON object'));
      return;
    }
    // A frame without an event is a message to send; plain mode knows nothing else.
    const event = this.isPlain ? 'message.send' : ((frame as { event?: unknown }).event ?? 'message.send');
    const handler = this.deps.findHandler(event);
    if (!handler) {
      this.refuse(new ParleyError('unknown_event'), clientIdOf(frame));
      return undefined;
    }
    if (isLarge && !this.mayBeLarge(event, frame)) return undefined;
    // Plain mode has one kind of frame, whatever it may be called there.
    return this.handle(handler, this.isPlain ? { ...frame, event: undefined } : frame);
  }

  /**
   * Whether a large frame may be one of this event, as far as it is known; else its sender is told. It is asked twice: before
   * the frame is parsed, which costs what the largest may, by the event that it begins with; and after, by the one that it is.
   */
  private mayBeLarge(event: unknown, frame: object = {}): boolean {
    if (event === undefined || this.isPlain) return true;
    const handler = this.deps.findHandler(event);
    if (handler?.isLarge) return true;
    const tooLarge = `A frame of this event has at most ${SMALL_FRAME_BYTES} bytes`;
    const error = handler ? new ParleyError('payload_too_large', tooLarge) : new ParleyError('unknown_event');
    this.refuse(error, clientIdOf(frame));
    return false;
  }

  /** Checks a frame against its schema and hands it to its handler; where it does not fit, its sender is told. */
  private handle(handler: FrameHandler, raw: object): Promise<void> | undefined {
    const result = handler.schema.safeParse(raw);
    if (!result.success) {
      this.refuse(validationFailed(result.error), clientIdOf(raw));
      return undefined;
    }
    this.badFrames = 0;
    const failed = (error: unknown) => this.refuse(toParleyError(error), clientIdOf(raw));
    if (this.deps.isDraining() && !handler.isAlwaysTaken) {
      failed(new ParleyError('unavailable', 'This server is about to restart'));
      return undefined;
    }
    try {
      return handler.handle(this, result.data)?.catch(failed);
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  /** Resolves for who is in a conversation at this moment; fails with `conversation_not_found` for others. */
  async requireMembership(conversationId: string): Promise<void> {
    await this.deps.requireMembership(this.actor, conversationId);
  }

  /** Its user typed there, and no longer does. */
  stopTyping(conversationId: string): void {
    this.deps.typing.stop(this.user, conversationId);
  }

  /** Answers a send when its commit is done. Too many that wait for theirs hold up the frames behind them. */
  answerLater(result: Promise<Ack>, clientId: string | undefined): void {
    this.unanswered++;
    if (this.unanswered >= MAX_UNANSWERED_SENDS) this.inbox.hold();
    void result
      .then(
        (value) => this.acknowledge(value),
        (error) => this.refuse(toParleyError(error), clientId),
      )
      .finally(() => {
        this.unanswered--;
        if (!this.closed) this.inbox.resume();
      });
  }

  /** What one batch commits of a sender's is acknowledged together. */
  acknowledge(ack: Ack): void {
    if (this.isPlain) return;
    if (!this.acks) queueMicrotask(() => this.sendAcks());
    this.acks ??= [];
    this.acks.push(ackFrame(ack));
  }

  /** In one call of the system, with what was published to this socket before. */
  private sendAcks(): void {
    const { acks, socket } = this;
    this.acks = undefined;
    if (!acks || this.closed) return;
    socket.cork(() => {
      for (const text of acks) socket.send(text);
    });
  }

  /** Answers with an error; who sends nothing but nonsense is told to stay away. */
  private refuse(error: ParleyError, clientId?: string): void {
    this.deps.failed(error.code);
    if (error.status < 500) this.logRefusal(error.code);
    const { cause } = error.details;
    if (cause !== undefined) this.deps.log.error({ err: cause }, 'a frame failed');
    this.sendText(this.isPlain ? plainErrorFrame(error) : errorFrame(error, clientId));
    const isNonsense = error.status === 400 || error.status === 413;
    if (isNonsense && ++this.badFrames > MAX_BAD_FRAMES) this.shutOut(CLOSE.PROTOCOL_ABUSE, 'too many bad frames');
  }

  /** One line for each kind of what a client does wrong (ASVS 16.3.3): more of them fill no disk. */
  private logRefusal(code: ErrorCode): void {
    if (this.logged?.has(code)) return;
    this.logged ??= new Set();
    this.logged.add(code);
    this.logLine({ code }, 'a frame was refused');
  }
}

/** Whether a text has more bytes in UTF-8: its length alone says it of most. */
function isLargerThan(bytes: number, text: string): boolean {
  return text.length > bytes || (text.length > bytes / 3 && Buffer.byteLength(text) > bytes);
}

/** The `client_id` of a frame that did not fit its schema, so that the client knows which of its sends failed. */
function clientIdOf(frame: object): string | undefined {
  const { client_id } = frame as { client_id?: unknown };
  return typeof client_id === 'string' && client_id.length <= MAX_CLIENT_ID_LENGTH ? client_id : undefined;
}
