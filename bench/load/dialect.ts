import { BenchFailure } from '../failure.ts';
import { digitsAt, Field, stands } from './field.ts';
import type { DialectName } from './plan.ts';
import { clientFrame } from './raw-socket.ts';

/** A message as a receiver needs it. */
export interface Delivered {
  conversation_id: string;
  seq: number;
  client_id: string;
  content: string;
}

/** Who hears what frames say. */
export interface Hearer {
  /** The bytes of its conversation's id; a message of another one is a failure. */
  readonly conversation: Buffer;
  ready(): void;
  /** The server has answered the `number`-th message of this load. */
  acked(number: number): void;
  delivered(seq: number, number: number): void;
  /** Several messages at once, in place of those that the server could not give one by one. */
  repaired(messages: Delivered[]): void;
  reply(frame: Buffer): void;
}

/**
 * A client's key for a message is a UUID, as clients make them, with the number of the message in its last twelve
 * characters; the first eight tell the loads of one server apart.
 */
export function clientId(run: string, number: number): string {
  return `${run}-0000-7000-8000-${String(number).padStart(12, '0')}`;
}
const NUMBER_IN_CLIENT_ID = 24;

/** Frames out and in, of one kind of server. One dialect reads for all sockets of a generator. */
export class Dialect {
  private readonly wire: Wire;
  private readonly event = new Field('event', '"');
  private readonly conversation = new Field('conversation_id', '"');
  private readonly seq = new Field('seq');
  private readonly client = new Field('client_id', '"');
  private readonly ackedClient = new Field('client_id', '"');
  private untilFullCheck: number;

  constructor(
    private readonly name: DialectName,
    private readonly content: string,
    private readonly fullCheckEvery: number,
  ) {
    this.wire = WIRES[name];
    this.untilFullCheck = fullCheckEvery;
  }

  /** A frame that sends a message, made once for a sender; `stamp` gives it its number. */
  sendFrame(run: string, conversationId: string): SendFrame {
    return new SendFrame(
      this.wire.send({ client_id: clientId(run, 0), conversation_id: conversationId, content: this.content }),
      run,
    );
  }

  read(bytes: Buffer, start: number, end: number, hearer: Hearer): void {
    const body = start + this.wire.skip(bytes, start);
    if (stands(this.wire.message, bytes, start) || this.eventIs(MESSAGE, bytes, body, end)) {
      this.readMessage(bytes, body, end, hearer);
    } else if (stands(this.wire.ack, bytes, start)) {
      this.readAck(bytes, body, end, hearer);
    } else {
      this.readOther(bytes.toString('utf8', start, end), hearer);
    }
  }

  private eventIs(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
    if (this.name !== 'parley') return false;
    const at = this.event.find(bytes, start, end);
    return at >= 0 && stands(name, bytes, at);
  }

  private readMessage(bytes: Buffer, start: number, end: number, hearer: Hearer): void {
    const conversation = this.conversation.find(bytes, start, end);
    const seq = this.seq.find(bytes, start, end);
    const client = this.client.find(bytes, start, end);
    if (conversation < 0 || seq < 0 || client < 0 || !stands(hearer.conversation, bytes, conversation)) {
      throw new BenchFailure(`not a message of this socket's conversation: ${bytes.toString('utf8', start, end)}`);
    }
    const seqRead = digitsAt(bytes, seq);
    const number = digitsAt(bytes, client + NUMBER_IN_CLIENT_ID);
    if (--this.untilFullCheck === 0) {
      this.untilFullCheck = this.fullCheckEvery;
      this.checkInFull(bytes.toString('utf8', start, end), seqRead, number);
    }
    hearer.delivered(seqRead, number);
  }

  /** What was read by its place is what the whole frame says, and the text is the text that was sent. */
  private checkInFull(frame: string, seq: number, number: number): void {
    const message = this.wire.parse(frame) as Delivered;
    const isSame = message.seq === seq && numberOf(message) === number && message.content === this.content;
    if (!isSame) throw new BenchFailure(`a message is not what was sent: ${frame}`);
  }

  private readAck(bytes: Buffer, start: number, end: number, hearer: Hearer): void {
    const client = this.ackedClient.find(bytes, start, end);
    if (client < 0) throw new BenchFailure(`an answer without a client_id: ${bytes.toString('utf8', start, end)}`);
    hearer.acked(digitsAt(bytes, client + NUMBER_IN_CLIENT_ID));
  }

  private readOther(frame: string, hearer: Hearer): void {
    if (this.name === 'socketio') this.readSocketIo(frame, hearer);
    else this.readParley(frame, hearer);
  }

  private readSocketIo(frame: string, hearer: Hearer): void {
    if (frame === '2') hearer.reply(clientFrame(Buffer.from('3')));
    else if (frame.startsWith('40')) hearer.ready();
    else if (!frame.startsWith('0')) throw new BenchFailure(`an unexpected frame: ${frame}`);
  }

  private readParley(text: string, hearer: Hearer): void {
    const frame = JSON.parse(text);
    if (frame.event === 'ready') hearer.ready();
    else if (frame.event === 'ack') hearer.acked(numberOf(frame));
    else if (frame.event === 'changes') hearer.repaired(frame.messages);
    else if (!SILENT_EVENTS.has(frame.event)) throw new BenchFailure(`an unexpected frame: ${text}`);
  }
}

/** Events that say nothing of messages. */
const SILENT_EVENTS = new Set(['receipts', 'typing', 'presence', 'pong']);

const MESSAGE = Buffer.from('message"');

/** The number in a message's key; NaN for a message that no load sent. */
export function numberOf({ client_id }: { client_id: string }): number {
  return Number(client_id.slice(NUMBER_IN_CLIENT_ID));
}

/** A frame of constant length in which only the message's number changes. */
export class SendFrame {
  private readonly frame: Buffer;
  private readonly numberEnd: number;

  constructor(payload: string, run: string) {
    this.frame = clientFrame(Buffer.from(payload));
    this.numberEnd = this.frame.indexOf(clientId(run, 0)) + 36;
  }

  /** The same bytes at every call, with another number in them: send them before the next call. */
  stamp(number: number): Buffer {
    for (let at = this.numberEnd - 1, left = number; at >= this.numberEnd - 12; at--) {
      this.frame[at] = 48 + (left % 10);
      left = Math.floor(left / 10);
    }
    return this.frame;
  }
}

interface Wire {
  /** How frames of messages and of answers usually begin. */
  message: Buffer;
  ack: Buffer;
  /** Bytes before the JSON of the message. */
  skip(bytes: Buffer, start: number): number;
  send(message: { client_id: string; conversation_id: string; content: string }): string;
  parse(body: string): unknown;
}

const WIRES: Record<DialectName, Wire> = {
  parley: {
    message: Buffer.from('{"event":"message",'),
    ack: Buffer.from('{"event":"ack",'),
    skip: () => 0,
    send: (message) => JSON.stringify({ event: 'message.send', ...message }),
    parse: JSON.parse,
  },
  // Engine.IO: 4 is a message; Socket.IO in it: 2 is an event, 3 the answer to one, with the number that asked.
  socketio: {
    message: Buffer.from('42["message",'),
    ack: Buffer.from('43'),
    skip: (bytes, start) => (bytes[start + 1] === 50 ? 13 : 0),
    send: (message) => `421["send",${JSON.stringify(message)}]`,
    parse: (body) => JSON.parse(body.slice(0, -1)),
  },
};
