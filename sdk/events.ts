import type { ParleyError } from './errors.ts';
import type { FrameOf, Mark, Message } from './protocol.ts';
import type { ClientState } from './state.ts';
import { callSafely } from './store/observable.ts';
import type { ConversationView, MessageView } from './views.ts';

/** What a client tells. */
export interface ParleyEvents {
  /** A message that is new here, one's own among them: each once, in order, whether it came live or after an absence. */
  message: Message;
  /** A message that was edited, deleted or reacted to. */
  'message.updated': Message;
  /** A conversation that is new, or whose name or people changed. */
  conversation: ConversationView;
  /** A conversation that one is not in any more. */
  'conversation.removed': { conversation_id: string };
  /** How far others, or one's other devices, have received and read. */
  receipts: { conversation_id: string; marks: Mark[] };
  typing: Omit<FrameOf<'typing'>, 'event'>;
  presence: Omit<FrameOf<'presence'>, 'event'>;
  state: ClientState;
  /** A message of one's own that the server refused: it stays, as failed, until it is retried or discarded. */
  failed: MessageView;
  /** The session is over: signed out, here or in another tab, or ended by the server. */
  signed_out: { reason: string };
  /** Something failed in the background. The client goes on as well as it can. */
  error: ParleyError;
}

export type EventName = keyof ParleyEvents;

/** An event with its name, as `for await (const event of client.events())` gives it. */
export type ParleyEvent = { [K in EventName]: { event: K; data: ParleyEvents[K] } }[EventName] | Lagged;

/** Told to a reader that was too slow: so many events were dropped before this one. What it missed is in the store. */
export interface Lagged {
  event: 'lagged';
  data: { dropped: number };
}

/** Events that wait for a slow reader. */
const QUEUE_LIMIT = 1000;

type Listener = (event: ParleyEvent) => void;

/** Tells events to callbacks and to `for await`. */
export class Emitter {
  private readonly listeners = new Set<Listener>();
  private readonly queues = new Set<EventQueue>();

  on<K extends EventName>(name: K, callback: (data: ParleyEvents[K]) => void): () => void {
    const listener: Listener = (event) => {
      if (event.event === name) callback(event.data as ParleyEvents[K]);
    };
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  emit<K extends EventName>(event: K, data: ParleyEvents[K]): void {
    const told = { event, data } as ParleyEvent;
    for (const listener of [...this.listeners]) callSafely(listener, told);
    for (const queue of this.queues) queue.put(told);
  }

  /** All events from now on, until `end` or until the reader stops. */
  events(limit = QUEUE_LIMIT): AsyncIterableIterator<ParleyEvent> {
    const queue: EventQueue = new EventQueue(limit, () => this.queues.delete(queue));
    this.queues.add(queue);
    return queue;
  }

  /** Ends what iterates; callbacks stay. */
  end(): void {
    for (const queue of [...this.queues]) queue.end();
  }
}

/** Events that wait for one reader, a bounded number of them. */
class EventQueue implements AsyncIterableIterator<ParleyEvent> {
  private readonly waiting: ParleyEvent[] = [];
  private readonly readers: ((result: IteratorResult<ParleyEvent>) => void)[] = [];
  private dropped = 0;
  private isOver = false;

  constructor(
    private readonly limit: number,
    private readonly onEnd: () => void,
  ) {}

  put(event: ParleyEvent): void {
    const reader = this.readers.shift();
    if (reader) {
      reader({ value: event, done: false });
      return;
    }
    this.waiting.push(event);
    if (this.waiting.length <= this.limit) return;
    this.waiting.shift();
    this.dropped++;
  }

  end(): void {
    this.isOver = true;
    this.onEnd();
    for (const reader of this.readers.splice(0)) reader({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<ParleyEvent>> {
    if (this.dropped > 0) {
      const lagged: Lagged = { event: 'lagged', data: { dropped: this.dropped } };
      this.dropped = 0;
      return Promise.resolve({ value: lagged, done: false });
    }
    const event = this.waiting.shift();
    if (event) return Promise.resolve({ value: event, done: false });
    if (this.isOver) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.readers.push(resolve));
  }

  return(): Promise<IteratorResult<ParleyEvent>> {
    this.waiting.length = 0;
    this.dropped = 0;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
