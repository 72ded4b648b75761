import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

const ID_BYTES = 16;
/** 128 bits: more than anybody guesses (ASVS 7.2.3, 6.5.3 ask for less). */
const SEAL_BYTES = 16;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * Makes secrets of ids. The token of a row is its id and a seal over it, computed and never stored: who reads the database, a
 * backup of it or the queue of letters finds no token there. What a token is good for is the row's to say: whether it was
 * used, and until when it may be.
 */
export class SealedIds {
  /** The first key seals; each of them opens, while a secret is being rotated out. */
  constructor(private readonly keys: readonly [KeyObject, ...KeyObject[]]) {}

  /** The token of a row: 43 characters that may stand in an address. `purpose` keeps tokens of two kinds apart. */
  seal(purpose: string, id: string): string {
    return Buffer.concat([bytesOf(id), this.mac(this.keys[0], purpose, id)]).toString('base64url');
  }

  /** The id that a token was made of; undefined for what is none of ours. */
  open(purpose: string, token: string): string | undefined {
    if (!TOKEN.test(token)) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    const id = textOf(bytes.subarray(0, ID_BYTES));
    const seal = bytes.subarray(ID_BYTES);
    return this.keys.some((key) => timingSafeEqual(seal, this.mac(key, purpose, id))) ? id : undefined;
  }

  /** Six digits for who types them instead. Of a million: the row counts how often they were tried. */
  code(purpose: string, id: string): string {
    return this.codeBy(this.keys[0], purpose, id);
  }

  isCode(purpose: string, id: string, code: string): boolean {
    const given = Buffer.from(code);
    return this.keys.some((key) => {
      const right = Buffer.from(this.codeBy(key, purpose, id));
      return given.length === right.length && timingSafeEqual(given, right);
    });
  }

  private codeBy(key: KeyObject, purpose: string, id: string): string {
    const number = this.mac(key, `code of ${purpose}`, id).readUIntBE(0, 6) % 1_000_000;
    return String(number).padStart(6, '0');
  }

  private mac(key: KeyObject, purpose: string, id: string): Buffer {
    return createHmac('sha256', key).update(`${purpose} ${id}`).digest().subarray(0, SEAL_BYTES);
  }
}

function bytesOf(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

function textOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
