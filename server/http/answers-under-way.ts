import { MAX_LONG_ANSWERS, UNREAD_MS } from '../../protocol/limits.ts';

/** Bytes that long answers may hold together before the least read of them are cut. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
/**
 * What is handed over at a time; the rest waits here, where it can be counted and given up. Small, for it is a piece that has
 * to be taken within 15 s: who reads two kilobytes a second is read to.
 */
const PIECE_BYTES = 32 * 1024;
const SWEEP_MS = 1000;

/** One answer that is being read, or waits for those of its account before it. */
interface Answer {
  unsent: number;
  lastRead: number;
  cut(): void;
}

/** An answer as a stream. */
export interface Sending {
  stream: ReadableStream<Uint8Array>;
  /** Resolves when it is its turn to be read. */
  begun: Promise<void>;
  /** Resolves when it has left, or was given up. */
  gone: Promise<void>;
}

/**
 * Long answers on their way to their readers. Each is handed over as fast as it is read. Of one account two are read at once,
 * and the next one when one of them has left. One of which nothing was read for 15 s is cut, and so are the least recently
 * read ones where all together hold too much: nobody keeps the memory of this process by not reading what they asked for
 * (ASVS 15.2.2).
 */
export class AnswersUnderWay {
  /** The one that was not read for longest comes first. */
  private readonly answers = new Set<Answer>();
  private readonly turns = new AccountTurns();
  private unsent = 0;
  private sweeper: Timer | undefined;

  /** `onCut` is told of each answer that is given up. */
  constructor(private readonly onCut: () => void) {}

  /** How many are on their way. */
  get count(): number {
    return this.answers.size;
  }

  /** Sends `body` in pieces, each when the one before it was taken. `accountId` is whose answer it is, if anybody's. */
  send(body: Uint8Array<ArrayBuffer>, accountId?: string): Sending {
    const turn = this.turns.take(accountId);
    const gone = Promise.withResolvers<void>();
    let answer!: Answer;
    const end = () => {
      if (!this.answers.delete(answer)) return;
      this.unsent -= answer.unsent;
      turn.end();
      gone.resolve();
    };
    const sendPiece = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (!this.answers.has(answer)) return; // cut while it waited
      const from = body.length - answer.unsent;
      const piece = body.subarray(from, from + PIECE_BYTES);
      this.noteRead(answer, piece.length);
      controller.enqueue(piece);
    };
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const cut = () => {
            end();
            this.onCut();
            controller.error(new Error('nobody read this answer'));
          };
          answer = { unsent: body.length, lastRead: Date.now(), cut };
          this.begin(answer);
          // What is there at once leaves together with the headers.
          if (turn.hasBegun) sendPiece(controller);
          else void turn.begun.then(() => sendPiece(controller));
        },
        pull: async (controller) => {
          await turn.begun;
          // Asked for more only when all before was taken: where nothing is left, the last piece has gone too.
          if (answer.unsent > 0) {
            sendPiece(controller);
            return;
          }
          if (!this.answers.has(answer)) return;
          end();
          controller.close();
        },
        cancel: end,
      },
      { highWaterMark: 0 },
    );
    return { stream, begun: turn.begun, gone: gone.promise };
  }

  private begin(answer: Answer): void {
    this.answers.add(answer);
    this.unsent += answer.unsent;
    for (const oldest of this.answers) {
      if (this.unsent <= MAX_UNSENT_BYTES || oldest === answer) break;
      oldest.cut();
    }
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  private noteRead(answer: Answer, bytes: number): void {
    answer.unsent -= bytes;
    answer.lastRead = Date.now();
    this.unsent -= bytes;
    this.answers.delete(answer);
    this.answers.add(answer);
  }

  private sweep(): void {
    const before = Date.now() - UNREAD_MS;
    for (const answer of this.answers) {
      if (answer.lastRead > before) break;
      answer.cut();
    }
    if (this.answers.size > 0) return;
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }
}

/** A place among the answers of one account that are read at once. */
interface Turn {
  readonly hasBegun: boolean;
  readonly begun: Promise<void>;
  end(): void;
}

const AT_ONCE: Turn = { hasBegun: true, begun: Promise.resolve(), end: () => {} };

/** Deals out turns without a wait where one is free: an answer that must not wait is sent in one call of the system. */
class AccountTurns {
  private readonly accounts = new Map<string, { active: number; waiting: Set<() => void> }>();

  take(accountId: string | undefined): Turn {
    if (accountId === undefined) return AT_ONCE;
    const account = this.accounts.get(accountId) ?? { active: 0, waiting: new Set() };
    this.accounts.set(accountId, account);
    const begun = Promise.withResolvers<void>();
    const hasBegun = account.active < MAX_LONG_ANSWERS;
    const begin = () => {
      account.active++;
      begun.resolve();
    };
    if (hasBegun) begin();
    else account.waiting.add(begin);
    const end = () => {
      if (!account.waiting.delete(begin)) account.active--;
      begun.resolve();
      const [next] = account.waiting;
      if (next && account.active < MAX_LONG_ANSWERS) {
        account.waiting.delete(next);
        next();
      }
      if (account.active === 0) this.accounts.delete(accountId);
    };
    return { hasBegun, begun: begun.promise, end };
  }
}
