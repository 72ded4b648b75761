/**
 * The texts of queries between two threads: each crosses once, and is a number from then on. Both sides count the same, since
 * what is sent arrives in the order in which it was sent.
 */

/** A text that is new to the other side, or the number of one that it has. */
export type SentText = string | number;

/** Texts that are counted; Kysely's differ only with the length of their lists. One beyond them is sent whole each time. */
const MAX_TEXTS = 500;

/** The side that asks. */
export class SqlTexts {
  private readonly numbers = new Map<string, number>();

  toSend(text: string): SentText {
    const number = this.numbers.get(text);
    if (number !== undefined) return number;
    if (this.numbers.size < MAX_TEXTS) this.numbers.set(text, this.numbers.size);
    return text;
  }
}

/** The side that answers. */
export class ReceivedSqlTexts {
  private readonly texts: string[] = [];

  receive(sent: SentText): string {
    if (typeof sent === 'number') return this.texts[sent]!;
    if (this.texts.length < MAX_TEXTS) this.texts.push(sent);
    return sent;
  }
}
