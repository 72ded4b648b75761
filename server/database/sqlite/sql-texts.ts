import type { CompiledQuery } from 'kysely';
import type { Condition } from '../database.ts';

/**
 * Queries on their way between two threads, as JSON. A text of SQL crosses once, and is a number from then on. Both sides
 * count the same: what is sent arrives, in the order in which it was sent, and its texts count before any of it is run.
 */

/** A text of SQL, what is bound to it (strings, numbers, booleans, bytes and null), and on what it depends. */
export type SqlQuery = Pick<CompiledQuery, 'sql' | 'parameters'> & Condition;

/** Texts that are counted; Kysely's differ only with the length of their lists. One beyond them is sent whole each time. */
const MAX_TEXTS = 500;

/** Bytes on their way: JSON has none. No other value that is bound is an object. */
interface SentBytes {
  base64: string;
}

const toSend = (value: unknown): unknown =>
  value instanceof Uint8Array ? ({ base64: value.toBase64() } satisfies SentBytes) : value;

const toReceive = (value: unknown): unknown =>
  value !== null && typeof value === 'object' ? Uint8Array.fromBase64((value as SentBytes).base64) : value;

/** What crosses, each list with an item for each query. */
interface Sent {
  /** A text, or its number. */
  texts: (string | number)[];
  parameters: unknown[][];
  /** `onlyIf`, or 0 for none. */
  conditions: (string | 0)[];
}

/** The side that asks. */
export class SentQueries {
  private readonly numbers = new Map<string, number>();

  encode(queries: readonly SqlQuery[]): string {
    // First, for it may fail: what is not sent must not count.
    const parameters = JSON.stringify(queries.map((query) => query.parameters.map(toSend)));
    const texts = JSON.stringify(queries.map(({ sql }) => this.number(sql)));
    const conditions = JSON.stringify(queries.map(({ onlyIf }) => onlyIf ?? 0));
    return `{"texts":${texts},"parameters":${parameters},"conditions":${conditions}}`;
  }

  private number(text: string): string | number {
    const known = this.numbers.get(text);
    if (known !== undefined) return known;
    if (this.numbers.size < MAX_TEXTS) this.numbers.set(text, this.numbers.size);
    return text;
  }
}

/** The side that answers. */
export class ReceivedQueries {
  private readonly texts: string[] = [];

  decode(json: string): SqlQuery[] {
    const { texts, parameters, conditions } = JSON.parse(json) as Sent;
    return texts.map((text, index) => ({
      sql: this.receive(text),
      parameters: parameters[index]!.map(toReceive),
      onlyIf: conditions[index] || undefined,
    }));
  }

  private receive(sent: string | number): string {
    if (typeof sent === 'number') return this.texts[sent]!;
    if (this.texts.length < MAX_TEXTS) this.texts.push(sent);
    return sent;
  }
}
