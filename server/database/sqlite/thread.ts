import { ParleyError } from '../../shared/errors.ts';
import { decodeRows } from './sent-rows.ts';
import type { Answer, OpenOptions, QueryAnswer, Request } from './serve-connection.ts';
import { SentQueries, type SqlQuery } from './sql-texts.ts';

/** A failure inside SQLite, with its code, such as `SQLITE_CONSTRAINT_UNIQUE`. */
export class SqliteError extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.name = 'SqliteError';
    this.code = code;
  }
}

type Unsent = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

/** Failures of the machine and not of what was asked: a full disk, a failed read, a lock that was not to be had. */
const MACHINE_FAULT = /^SQLITE_(FULL|IOERR|BUSY|LOCKED|CANTOPEN|READONLY|CORRUPT|NOMEM|NOTADB|PROTOCOL)/;

export function isMachineFault(error: unknown): error is SqliteError {
  return error instanceof SqliteError && MACHINE_FAULT.test(error.code);
}

/** What is to be told of a failure: a full disk is nobody's mistake, and the same request may succeed when there is room again. */
export function toldFailure(error: unknown): unknown {
  return isMachineFault(error) ? new ParleyError('unavailable', undefined, { cause: error }) : error;
}

/** A thread that answers nothing for so long never will; the longest honest wait is a checkpoint on a slow disk. */
const SILENCE_MS = 120_000;

/** Requests that are sent to the thread together, and answered together, at most. */
const MAX_TOGETHER = 32;

interface Waiting {
  since: number;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/**
 * The main thread's side of a SQLite connection that lives in a thread of its own, so that the event loop never waits
 * for the disk. Requests are answered in the order they are made.
 */
export class SqliteThread {
  private readonly worker: Worker;
  private readonly watchdog: Timer;
  private readonly waiting = new Map<number, Waiting>();
  private readonly sent = new SentQueries();
  private unsent: Request[] = [];
  private nextId = 1;

  private constructor(
    entry: URL,
    private readonly onDeath: (error: Error) => void,
  ) {
    this.worker = new Worker(entry.href);
    this.worker.onmessage = ({ data }: MessageEvent<Answer[]>) => {
      for (const answer of data) this.settle(answer);
    };
    this.worker.onerror = (event) => this.die(new Error(`a database thread died: ${event.message}`));
    this.watchdog = setInterval(() => this.listen(), SILENCE_MS / 4);
    this.watchdog.unref();
  }

  /** Starts the thread of `entry` and opens its connection. `onDeath` is told when the thread itself breaks. */
  static async open(entry: URL, options: OpenOptions, onDeath: (error: Error) => void): Promise<SqliteThread> {
    const thread = new SqliteThread(entry, onDeath);
    try {
      await thread.request({ do: 'open', options });
    } catch (error) {
      clearInterval(thread.watchdog);
      thread.worker.terminate();
      throw error;
    }
    return thread;
  }

  /** Requests that are not answered yet. */
  get pending(): number {
    return this.waiting.size;
  }

  query(query: SqlQuery): Promise<QueryAnswer> {
    return this.request({ do: 'query', queries: this.sent.encode([query]) }) as Promise<QueryAnswer>;
  }

  /** The rows of each query, all as of one moment. */
  async readTogether(queries: readonly SqlQuery[]): Promise<unknown[][]> {
    const sent = this.sent.encode(queries);
    return decodeRows((await this.request({ do: 'readTogether', queries: sent })) as string);
  }

  /** Runs a procedure of the thread's entry file. */
  call<Result>(procedure: string, argument: unknown): Promise<Result> {
    return this.request({ do: 'call', procedure, argument }) as Promise<Result>;
  }

  async close(): Promise<void> {
    await this.request({ do: 'close' });
    clearInterval(this.watchdog);
    this.worker.terminate();
  }

  private listen(): void {
    const [oldest] = this.waiting.values();
    if (oldest && Date.now() - oldest.since > SILENCE_MS) this.die(new Error('a database thread answers no more'));
  }

  private die(error: Error): void {
    clearInterval(this.watchdog);
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    this.onDeath(error);
  }

  private request(request: Unsent): Promise<unknown> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { since: Date.now(), resolve, reject });
      this.unsent.push({ id, ...request });
      if (this.unsent.length === 1) setImmediate(this.send);
      else if (this.unsent.length >= MAX_TOGETHER) this.send();
    });
  }

  /** Waking a thread costs more than a look-up does: what is asked in one turn of the event loop goes together. */
  private readonly send = (): void => {
    if (this.unsent.length === 0) return;
    this.worker.postMessage(this.unsent);
    this.unsent = [];
  };

  private settle(answer: Answer): void {
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if ('failed' in answer) waiting?.reject(new SqliteError(answer.failed.message, answer.failed.code));
    else waiting?.resolve(answer.result);
  }
}
