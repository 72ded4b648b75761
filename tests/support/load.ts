import { SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from '../../protocol/limits.ts';
import type { Person } from './people.ts';
import type { Frame } from './socket.ts';

/**
 * A crowd that talks without pause and remembers what it was promised, for tests that break things meanwhile. Each of its
 * clients keeps a window of sends that wait for their ack, and does what a good client does: it comes back when its
 * socket is lost, sends again what was not acknowledged, and tries again what may be tried again.
 */

export interface Conversation {
  id: string;
  members: Person[];
}

export interface LoadOptions {
  conversations: Conversation[];
  /** Address for a client's socket, asked before each attempt: after a loss it may be another node's. */
  where(): string;
  /** Sends of one client that may wait for their ack. */
  window: number;
  /** How long a client thinks after an ack before it says the next, in milliseconds; not at all unless it says so. */
  thinkMs?: number;
}

/** A promise of the server: this message stands there, for ever. */
export interface Ack {
  client_id: string;
  conversation_id: string;
  sender_id: string;
  id: string;
  seq: number;
  rev: number;
}

/** A message on its way. */
interface Send {
  client_id: string;
  conversation_id: string;
  /** When it was first written, as `performance.now()` tells it. */
  firstWritten: number;
  /** When it was last written, in milliseconds since the epoch. */
  lastWritten: number;
  attempts: number;
  /** Whether it was written on the socket that is open now, and not answered. */
  inFlight: boolean;
}

/** Until a client without a socket tries again, and until a send that was refused is tried again, in milliseconds. */
const RECONNECT_MS = 20;
const RETRY_MS = 50;
/** How long all that was sent may take to be acknowledged once nothing breaks any more. */
const PATIENCE_MS = 20_000;

/** What the message of a key says: the key makes it unlike any other, and what comes back can be compared to it. */
export function contentOf(clientId: string): string {
  return `${clientId}: the quick brown fox jumps over the lazy dog, καὶ ἡ ἀλώπηξ ἐγέλασεν 🦊`;
}

/** All clients, and all that they were told. */
export class Load {
  readonly clients: LoadClient[];
  /** In the order in which they came. */
  readonly acks: Ack[] = [];
  /** What was heard live, by anyone: for each conversation the message's id at its `seq`. */
  readonly heard = new Map<string, string[]>();
  /** Errors that were answered, by code. */
  readonly refusals = new Map<string, number>();
  /** What must never happen, in words; only the first of many. */
  readonly faults: string[] = [];
  deliveries = 0;
  socketsOpened = 0;
  /** Live messages at or below one heard before on the same socket. */
  outOfOrder = 0;
  /** Live messages that came without the one before, and without a `changes` frame instead of it. */
  skipped = 0;
  /** Acks for sends that had been stored before, without their sender knowing. */
  givenAgain = 0;
  /** The longest from a message's arrival until somebody heard it, live or as a `changes` frame, in milliseconds. */
  longestLagMs = 0;
  /** The highest `rev` that was acknowledged or heard, for each conversation, and when that was. */
  readonly heads = new Map<string, { rev: number; at: number }>();
  private readonly waiting = new Set<(kind: 'ack' | 'message', send: Send) => void>();

  constructor(readonly options: LoadOptions) {
    const people = new Set(options.conversations.flatMap(({ members }) => members));
    this.clients = [...people].map((person) => {
      const mine = options.conversations.filter(({ members }) => members.includes(person));
      return new LoadClient(
        this,
        person,
        mine.map(({ id }) => id),
      );
    });
  }

  /** Opens all sockets and begins to talk. */
  async start(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.start()));
  }

  /** Sends that were written to an open socket and are not answered yet. */
  get inFlight(): number {
    return this.clients.reduce((sum, client) => sum + client.inFlight, 0);
  }

  /** Sends without an ack, whether they are on their way or wait for a socket. */
  get unanswered(): number {
    return this.clients.reduce((sum, client) => sum + client.sends.size, 0);
  }

  /** Resolves with the milliseconds until a message that was first sent after this call is acknowledged, or heard. */
  resumed(kind: 'ack' | 'message'): Promise<number> {
    const from = performance.now();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        reject(new Error(`nothing new had its ${kind} in ${PATIENCE_MS} ms`));
      }, PATIENCE_MS);
      const look = (what: 'ack' | 'message', send: Send) => {
        if (what !== kind || send.firstWritten < from) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        resolve(performance.now() - from);
      };
      this.waiting.add(look);
    });
  }

  /** Says nothing new, and resolves when all that was said is acknowledged. */
  async pause(): Promise<void> {
    for (const client of this.clients) client.talking = false;
    const deadline = performance.now() + PATIENCE_MS;
    while (this.unanswered > 0) {
      if (performance.now() > deadline) throw new Error(`${this.unanswered} sends were never acknowledged`);
      await Bun.sleep(10);
    }
  }

  /** Forgets how late anything was heard. */
  forgetLag(): void {
    this.longestLagMs = 0;
  }

  /** The longest that any client has heard nothing since `from`, as `performance.now()` tells it, in milliseconds. */
  longestSilence(from: number): number {
    return Math.max(...this.clients.map((client) => client.longestSilence(from)));
  }

  /**
   * Resolves with the milliseconds until everybody has heard all that was said: live, or as a `changes` frame. Nothing new
   * may be said meanwhile.
   */
  async caughtUp(): Promise<number> {
    const from = performance.now();
    for (;;) {
      const behind = this.clients.flatMap((client) => client.behind());
      if (behind.length === 0) return performance.now() - from;
      if (performance.now() - from > PATIENCE_MS) throw new Error(`not heard by all: ${behind.slice(0, 5).join('; ')}`);
      await Bun.sleep(10);
    }
  }

  /** A conversation stands at `rev`, as somebody was told. */
  standsAt(conversationId: string, rev: number): void {
    const head = this.heads.get(conversationId);
    if (!head || head.rev < rev) this.heads.set(conversationId, { rev, at: performance.now() });
  }

  /** Goes on talking after a pause. */
  resume(): void {
    for (const client of this.clients) {
      client.talking = true;
      client.talk();
    }
  }

  /** Ends all clients, whatever they wait for. */
  close(): void {
    for (const client of this.clients) client.close();
  }

  fault(text: string): void {
    if (this.faults.length < 20) this.faults.push(text);
  }

  happened(kind: 'ack' | 'message', send: Send): void {
    for (const look of [...this.waiting]) look(kind, send);
  }
}

/** One person on one socket at a time. */
export class LoadClient {
  /** Sends without an ack, in the order in which they were made. */
  readonly sends = new Map<string, Send>();
  talking = true;
  private socket: WebSocket | undefined;
  private closed = false;
  private made = 0;
  /** The last live message on this socket, for each conversation. */
  private live = new Map<string, { seq: number; rev: number }>();
  /** When the socket began to hear; Infinity while it does not. */
  private readyAt = Number.POSITIVE_INFINITY;
  /** When each message was heard live, or many of them as a `changes` frame. */
  private readonly heardAt: number[] = [];

  constructor(
    private readonly load: Load,
    readonly person: Person,
    private readonly conversations: string[],
  ) {}

  get inFlight(): number {
    let count = 0;
    for (const send of this.sends.values()) if (send.inFlight) count++;
    return count;
  }

  /** Resolves when the first socket is ready. */
  start(): Promise<void> {
    return new Promise((resolve) => this.connect(resolve));
  }

  close(): void {
    this.closed = true;
    this.socket?.close();
  }

  longestSilence(from: number): number {
    const moments = [from, ...this.heardAt.filter((at) => at > from), performance.now()];
    return Math.max(...moments.slice(1).map((at, index) => at - moments[index]!));
  }

  /** Conversations of which this socket has not heard all that came since it was open, in words. */
  behind(): string[] {
    return this.conversations.flatMap((id) => {
      const head = this.load.heads.get(id);
      const heard = this.live.get(id)?.rev ?? 0;
      if (!head || heard >= head.rev || this.readyAt > head.at) return [];
      return [`${this.person.user.username} heard ${id} up to ${heard} of ${head.rev}`];
    });
  }

  private connect(ready?: () => void): void {
    if (this.closed) return;
    const token = TOKEN_SUBPROTOCOL_PREFIX + this.person.tokens.access_token;
    const socket = new WebSocket(this.load.options.where(), [SUBPROTOCOL, token]);
    this.socket = socket;
    this.live = new Map();
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(String(data)) as Frame;
      this.hear(frame);
      if (frame.event === 'ready') ready?.();
    });
    socket.addEventListener('close', ({ code }) => {
      this.readyAt = Number.POSITIVE_INFINITY;
      for (const send of this.sends.values()) send.inFlight = false;
      if (code >= 4000) this.load.fault(`a socket was closed with ${code}`);
      else setTimeout(() => this.connect(ready), RECONNECT_MS);
    });
  }

  private readonly hearers: Record<string, (frame: Frame) => void> = {
    // Clients come back with what was not acknowledged, oldest first, and only then say something new.
    ready: () => {
      this.readyAt = performance.now();
      this.load.socketsOpened++;
      for (const send of this.sends.values()) this.write(send);
      this.talk();
    },
    ack: (frame) => this.acknowledged(frame),
    error: (frame) => this.refused(frame),
    message: (frame) => this.heard(frame),
    changes: ({ conversation_id, rev, since, messages }) => {
      for (const message of messages) if (message.rev > since) this.late(message.sent_at);
      this.live.set(conversation_id, { seq: 0, rev });
      this.heardAt.push(performance.now());
      this.load.standsAt(conversation_id, rev);
    },
  };

  private hear(frame: Frame): void {
    this.hearers[frame.event]?.(frame);
  }

  /** Says something new, as far as the window allows. */
  talk(): void {
    while (this.talking && this.sends.size < this.load.options.window) {
      const number = this.made++;
      // Both kinds of keys that clients make: UUIDs, and words of their own.
      const client_id = number % 2 === 0 ? crypto.randomUUID() : `${this.person.user.username}/${number}`;
      const conversation_id = this.conversations[number % this.conversations.length]!;
      const send = { client_id, conversation_id, firstWritten: 0, lastWritten: 0, attempts: 0, inFlight: false };
      this.sends.set(client_id, send);
      this.write(send);
    }
  }

  private write(send: Send): void {
    if (this.socket?.readyState !== WebSocket.OPEN || send.inFlight) return;
    const { client_id, conversation_id } = send;
    if (send.attempts++ === 0) send.firstWritten = performance.now();
    send.lastWritten = Date.now();
    send.inFlight = true;
    const frame = { event: 'message.send', client_id, conversation_id, content: contentOf(client_id) };
    this.socket.send(JSON.stringify(frame));
  }

  private acknowledged(frame: Frame): void {
    const send = this.sends.get(frame.client_id);
    if (!send || send.conversation_id !== frame.conversation_id) {
      this.load.fault(`an ack for what was not asked: ${JSON.stringify(frame)}`);
      return;
    }
    this.sends.delete(send.client_id);
    const { client_id, conversation_id, id, seq, rev } = frame as unknown as Ack;
    this.load.acks.push({ client_id, conversation_id, sender_id: this.person.id, id, seq, rev });
    if (send.attempts > 1 && frame.sent_at < send.lastWritten) this.load.givenAgain++;
    this.load.standsAt(conversation_id, rev);
    this.load.happened('ack', send);
    const { thinkMs } = this.load.options;
    if (thinkMs === undefined) this.talk();
    else setTimeout(() => this.talk(), thinkMs);
  }

  private refused(frame: Frame): void {
    const { refusals } = this.load;
    refusals.set(frame.code, (refusals.get(frame.code) ?? 0) + 1);
    const send = this.sends.get(frame.client_id);
    if (!send || !frame.retryable) {
      this.load.fault(`refused for good: ${JSON.stringify(frame)}`);
      return;
    }
    send.inFlight = false;
    setTimeout(() => this.write(send), RETRY_MS);
  }

  private late(sentAt: number): void {
    this.load.longestLagMs = Math.max(this.load.longestLagMs, Date.now() - sentAt);
  }

  private heard({ conversation_id, id, seq, rev, client_id, content, sent_at }: Frame): void {
    const { load } = this;
    this.late(sent_at);
    load.deliveries++;
    const last = this.live.get(conversation_id);
    if (last && (seq <= last.seq || rev <= last.rev)) load.outOfOrder++;
    else if (last && rev > last.rev + 1) load.skipped++;
    this.live.set(conversation_id, { seq, rev });
    this.heardAt.push(performance.now());
    load.standsAt(conversation_id, rev);

    const ids = load.heard.get(conversation_id) ?? [];
    load.heard.set(conversation_id, ids);
    ids[seq] ??= id;
    if (ids[seq] !== id) load.fault(`two messages at ${conversation_id} ${seq}: ${ids[seq]} and ${id}`);
    if (content !== contentOf(client_id)) load.fault(`${client_id} was heard with the content "${content}"`);
    const own = this.sends.get(client_id);
    if (own) load.happened('message', own);
  }
}
