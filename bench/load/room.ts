import { BenchFailure } from '../failure.ts';
import { type Delivered, Dialect, type Hearer, numberOf, type SendFrame } from './dialect.ts';
import type { Seat } from './plan.ts';
import { RawSocket, throwUncaught } from './raw-socket.ts';
import { inTurns } from './turns.ts';

/** What a load does when its sockets hear something. Times are taken by the load itself. */
export interface Load {
  acked(seat: Chair, number: number): void;
  /** A new message, in its place; once for each socket that hears it. */
  delivered(seat: Chair, number: number): void;
}

interface Talk {
  url: string;
  dialect: 'parley' | 'socketio';
  conversations: { id: string; seq: number }[];
  seats: Seat[];
  read_every_ms?: number;
}

/** Sockets opened at once; more would only wait in the server's queue. */
const OPENING_AT_ONCE = 50;

/** All sockets of a talk, and the proof that each of them heard everything once and in order. */
export class Room {
  readonly chairs: Chair[] = [];
  /** The generator is closing them itself. */
  leaving = false;
  private reading: Timer | undefined;
  /** Messages sent and answered. */
  sent = 0;
  acked = 0;
  /** Deliveries that must come of what was sent, one for each socket of a conversation, and those that came. */
  due = 0;
  delivered = 0;
  repairs = 0;

  private constructor(
    readonly dialect: Dialect,
    readonly load: Load,
  ) {}

  static async open(talk: Talk, content: string, fullCheckEvery: number, load: Load): Promise<Room> {
    const room = new Room(new Dialect(talk.dialect, content, fullCheckEvery), load);
    const run = crypto.randomUUID().slice(0, 8);
    for (const [index, seat] of talk.seats.entries()) {
      const conversation = talk.conversations[seat.conversation]!;
      room.chairs.push(new Chair(room, index, seat, conversation, room.dialect.sendFrame(run, conversation.id)));
    }
    const byConversation = Map.groupBy(room.chairs, ({ seat }) => seat.conversation);
    for (const chairs of byConversation.values()) for (const chair of chairs) chair.ears = chairs.length;
    await inTurns(room.chairs, OPENING_AT_ONCE, (chair) => chair.open(talk.url));
    if (talk.read_every_ms !== undefined) room.reading = setInterval(() => room.readAll(), talk.read_every_ms);
    return room;
  }

  get senders(): Chair[] {
    return this.chairs.filter(({ seat }) => seat.sends);
  }

  /** Whether everything sent was answered, and heard by everybody. */
  get isQuiet(): boolean {
    return this.acked === this.sent && this.delivered === this.due;
  }

  /** Fails unless everything sent was answered and heard. */
  assertQuiet(): void {
    if (this.isQuiet) return;
    const { sent, acked, due, delivered } = this;
    throw new BenchFailure(`${sent} messages sent, ${acked} answered; ${due} deliveries due, ${delivered} came`);
  }

  /** The newest number of each conversation; fails where two sockets of one disagree. */
  seqs(count: number): number[] {
    const seqs: number[] = new Array(count).fill(-1);
    for (const { seat, seq } of this.chairs) {
      const known = seqs[seat.conversation]!;
      if (known !== -1 && known !== seq) {
        throw new BenchFailure(`two sockets of one conversation end at message ${known} and ${seq}`);
      }
      seqs[seat.conversation] = seq;
    }
    return seqs;
  }

  /** Everybody says how far they have read. */
  private readAll(): void {
    for (const chair of this.chairs) chair.read();
  }

  close(): void {
    this.leaving = true;
    clearInterval(this.reading);
    for (const chair of this.chairs) chair.close();
  }
}

/** One socket in one conversation. */
export class Chair implements Hearer {
  readonly conversation: Buffer;
  /** The newest message it has heard. */
  seq: number;
  /** How many sockets listen in its conversation, itself among them. */
  ears = 0;
  private socket!: RawSocket;
  private isReady!: () => void;

  constructor(
    private readonly room: Room,
    readonly index: number,
    readonly seat: Seat,
    conversation: { id: string; seq: number },
    private readonly frame: SendFrame,
  ) {
    this.conversation = Buffer.from(conversation.id);
    this.seq = conversation.seq;
  }

  async open(url: string): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.isReady = resolve;
    });
    this.socket = await RawSocket.open(this.seat.url ?? url, this.seat, {
      text: (bytes, start, end) => this.room.dialect.read(bytes, start, end, this),
      closed: (code) => this.lost(code),
    });
    if (this.seat.greeting !== undefined) this.socket.sendText(this.seat.greeting);
    await ready;
  }

  send(number: number): void {
    this.room.sent++;
    this.room.due += this.ears;
    this.socket.send(this.frame.stamp(number));
  }

  /** Says that everything heard so far was read. */
  read(): void {
    this.socket.sendText(JSON.stringify({ event: 'read', conversation_id: String(this.conversation), seq: this.seq }));
  }

  close(): void {
    this.socket.close();
  }

  ready(): void {
    this.isReady();
  }

  acked(number: number): void {
    this.room.acked++;
    this.room.load.acked(this, number);
  }

  delivered(seq: number, number: number): void {
    if (seq !== this.seq + 1) this.outOfOrder(seq);
    this.seq = seq;
    this.room.delivered++;
    this.room.load.delivered(this, number);
  }

  repaired(messages: Delivered[]): void {
    this.room.repairs++;
    for (const message of messages) {
      if (message.seq > this.seq) this.delivered(message.seq, numberOf(message));
    }
  }

  reply(frame: Buffer): void {
    this.socket.send(frame);
  }

  private outOfOrder(seq: number): never {
    const what = seq <= this.seq ? 'came twice or late' : 'left a hole before it';
    throw new BenchFailure(`message ${seq} ${what}: socket ${this.index} of ${this.conversation} was at ${this.seq}`);
  }

  private lost(code: number | undefined): void {
    if (!this.room.leaving)
      throwUncaught(new BenchFailure(`socket ${this.index} was cut (${code ?? 'no close frame'})`));
  }
}
