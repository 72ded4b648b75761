/**
 * Finds one member of a JSON object in its bytes. It looks first where the member was the last time, since a server writes
 * its frames alike. A key cannot be mistaken inside a string: there, its quotes would be escaped.
 */
export class Field {
  private readonly key: Buffer;
  private offset = 0;

  /** `opening`: the value's first character where it is always the same, such as a string's quote. */
  constructor(name: string, opening: '' | '"' = '') {
    this.key = Buffer.from(`"${name}":${opening}`);
  }

  /** Where the value begins, after `opening`; -1 where there is no such member. */
  find(bytes: Buffer, start: number, end: number): number {
    if (!stands(this.key, bytes, start + this.offset)) {
      const found = bytes.subarray(start, end).indexOf(this.key);
      if (found < 0) return -1;
      this.offset = found;
    }
    return start + this.offset + this.key.length;
  }
}

/** Whether `text` stands in `bytes` at `at`. */
export function stands(text: Buffer, bytes: Buffer, at: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text[index]) return false;
  }
  return true;
}

/** The digits from `at` on, as a number. */
export function digitsAt(bytes: Buffer, at: number): number {
  let value = 0;
  for (let digit = bytes[at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) value = value * 10 + digit;
  return value;
}
