import { randomInt } from 'node:crypto';
import type { Passwords } from '../auth/passwords.ts';
import type { Database, Executor } from '../database/database.ts';
import type { RecoveryCodesRepository } from './recovery-codes-repository.ts';

/** Codes of one set. */
export const RECOVERY_CODES = 10;
/** Without the letters that people take for others (Crockford's base 32). */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const GROUP_LENGTH = 4;
const GROUPS = 3;
const CODE = new RegExp(`^[${ALPHABET}]{${GROUP_LENGTH * GROUPS}}$`);

/** A new set: what is shown, this one time, and what is kept. */
export interface NewCodes {
  shown: string[];
  kept: { hint: string; code_hash: string }[];
}

export interface RecoveryCodesDeps {
  repository: RecoveryCodesRepository;
  passwords: Passwords;
  database: Database;
}

/**
 * Ten codes for who has lost the app: 60 random bits each, hashed like passwords (ASVS 6.5.1–6.5.3), and found by the first
 * four characters, which are kept beside the hash.
 */
export class RecoveryCodes {
  constructor(private readonly deps: RecoveryCodesDeps) {}

  /** Makes a set and hashes it, before any transaction: that is dear. */
  async make(userId: string): Promise<NewCodes> {
    const codes = new Map<string, string>();
    while (codes.size < RECOVERY_CODES) {
      const code = Array.from({ length: GROUP_LENGTH * GROUPS }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
      codes.set(hintOf(code), code);
    }
    const asker = { kind: 'known', key: userId } as const;
    const kept = [...codes].map(async ([hint, code]) => {
      return { hint, code_hash: await this.deps.passwords.hash(code, asker) };
    });
    return { shown: [...codes.values()].map(inGroups), kept: await Promise.all(kept) };
  }

  /** Keeps a set in place of the one before. */
  replace(tx: Executor, userId: string, codes: NewCodes, now: number): Promise<void> {
    const rows = codes.kept.map((one) => ({ ...one, user_id: userId, created_at: now, used_at: null }));
    return this.deps.repository.replace(tx, userId, rows);
  }

  /** The hash of the unused code that was typed; undefined for any other, after the same time. */
  async find(userId: string, typed: string): Promise<string | undefined> {
    const code = read(typed);
    const hash = code === undefined ? undefined : await this.deps.repository.hashOf(userId, hintOf(code));
    const fit = await this.deps.passwords.verify(code ?? typed, hash, { kind: 'known', key: userId });
    return fit?.hash;
  }

  use(tx: Executor, userId: string, code: { hash: string; now: number }): Promise<boolean> {
    return this.deps.repository.use(tx, userId, code);
  }

  left(userId: string, executor: Executor = this.deps.database.read): Promise<number> {
    return this.deps.repository.left(executor, userId);
  }

  removeAll(tx: Executor, userId: string): Promise<void> {
    return this.deps.repository.replace(tx, userId, []);
  }
}

function hintOf(code: string): string {
  return code.slice(0, GROUP_LENGTH);
}

function inGroups(code: string): string {
  return code.match(new RegExp(`.{${GROUP_LENGTH}}`, 'g'))!.join('-');
}

/** A code as it was typed: in any case, with any signs between its letters, and with letters that look like the right ones. */
function read(typed: string): string | undefined {
  const code = typed
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
  return CODE.test(code) ? code : undefined;
}
