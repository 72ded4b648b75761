import { Secret, TOTP } from 'otpauth';
import { renderSVG } from 'uqr';
import type { TotpSetup } from '../../protocol/resources.ts';
import type { Executor } from '../database/database.ts';
import type { Logger } from '../shared/logger.ts';
import type { SealedTexts } from '../shared/sealed-text.ts';
import type { TotpRepository, TotpRow } from './totp-repository.ts';

/** RFC 4226 §4 recommends 160 bits; of the algorithms, apps know SHA-1 for certain, and its weakness is none in an HMAC. */
const SECRET_BYTES = 20;
const PERIOD_S = 30;
/** Steps that a clock may be off, either way. */
const WINDOW = 1;
/** How long a set-up may wait for its first code, in milliseconds. */
const SET_UP_MS = 30 * 60_000;
const RESEAL_CHUNK = 500;

const PICTURE = { border: 3, pixelSize: 6, ecc: 'M' } as const;

/** A code that fits the secret that waits, as it is kept: of which time step. */
export interface FirstCode {
  pending: string;
  step: number;
}

/** A code that fits the secret that is in use `since` then: of which time step. */
export interface FittingCode {
  since: number;
  step: number;
}

export interface TotpDeps {
  repository: TotpRepository;
  seals: SealedTexts;
  log: Logger;
  /** What apps show the account under. */
  issuer: string;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

/** Authenticator apps (RFC 6238): one for each account, whose secret is sealed in the database. */
export class Totp {
  private readonly now: () => number;

  constructor(private readonly deps: TotpDeps) {
    this.now = deps.now ?? Date.now;
  }

  /** Makes a secret that waits for its first code. The one in use stays until then. */
  async begin(tx: Executor, userId: string, label: string): Promise<TotpSetup> {
    const secret = new Secret({ size: SECRET_BYTES });
    await this.deps.repository.await(tx, userId, this.deps.seals.seal(secret.base32, purpose(userId)), this.now());
    const uri = this.generator(secret.base32, label).toString();
    return { secret: secret.base32, uri, qr: renderSVG(uri, PICTURE) };
  }

  /** Whether a secret waits for its first code. */
  async isAwaited(userId: string): Promise<boolean> {
    return this.isOpen(await this.deps.repository.of(userId));
  }

  /** Whether a code is one of the secret that waits. */
  async fitsPending(userId: string, code: string): Promise<FirstCode | undefined> {
    const row = await this.deps.repository.of(userId);
    if (!this.isOpen(row)) return undefined;
    const step = this.stepOf(userId, row.pending_secret!, code);
    return step === undefined ? undefined : { pending: row.pending_secret!, step };
  }

  /** Takes the secret that waits into use. False where another set-up has begun since. */
  confirm(tx: Executor, userId: string, code: FirstCode): Promise<boolean> {
    return this.deps.repository.confirm(tx, userId, { ...code, now: this.now() });
  }

  /** Whether a code is one of the secret in use that may still be taken. */
  async fits(userId: string, code: string): Promise<FittingCode | undefined> {
    const row = await this.deps.repository.of(userId);
    if (!row?.secret) return undefined;
    const step = this.stepOf(userId, row.secret, code);
    if (step === undefined || step <= row.last_step) return undefined;
    await this.reseal(row, 'secret');
    return { since: row.confirmed_at!, step };
  }

  /** Takes a code that fits. False where it, or a later one, was taken since. */
  take(tx: Executor, userId: string, code: FittingCode): Promise<boolean> {
    return this.deps.repository.take(tx, userId, code);
  }

  remove(tx: Executor, userId: string): Promise<void> {
    return this.deps.repository.delete(tx, userId);
  }

  /** Seals anew what is sealed with a key that is being rotated out. */
  async resealAll(signal: AbortSignal): Promise<void> {
    const { repository, seals, log } = this.deps;
    let done = 0;
    let lost = 0;
    let after: string | undefined;
    while (!signal.aborted) {
      const rows = await repository.listOthers(seals.prefix, RESEAL_CHUNK, after);
      for (const row of rows) {
        for (const column of ['secret', 'pending_secret'] as const) {
          const outcome = await this.reseal(row, column);
          if (outcome === 'done') done++;
          if (outcome === 'lost') lost++;
        }
      }
      after = rows.at(-1)?.user_id;
      if (rows.length < RESEAL_CHUNK) break;
    }
    if (done > 0) log.info({ secrets: done }, 'secrets of authenticator apps were sealed with the new key');
    if (lost > 0) {
      const hint =
        'secrets of authenticator apps are sealed with a JWT_SECRET that this server has not: see OPERATIONS.md';
      log.error({ secrets: lost }, hint);
    }
  }

  private isOpen(row: TotpRow | undefined): row is TotpRow {
    return row?.pending_secret != null && row.pending_at! > this.now() - SET_UP_MS;
  }

  /** Seals a secret with the key of today, where it is not. `lost`: no key that is here opens it. */
  private async reseal(row: TotpRow, column: 'secret' | 'pending_secret'): Promise<'done' | 'lost' | undefined> {
    const { repository, seals } = this.deps;
    const [before, as] = [row[column], purpose(row.user_id)];
    if (before === null || before.startsWith(seals.prefix)) return undefined;
    const opened = seals.open(before, as);
    if (!opened) return 'lost';
    const isOurs = await repository.reseal(row.user_id, column, before, seals.seal(opened.text, as));
    return isOurs ? 'done' : undefined;
  }

  /** The time step of which a code is, of a secret as it is kept. */
  private stepOf(userId: string, sealed: string, code: string): number | undefined {
    const opened = this.deps.seals.open(sealed, purpose(userId));
    if (!opened) {
      const hint = 'the secret of an authenticator app is sealed with a JWT_SECRET that this server has not';
      this.deps.log.error({ user_id: userId }, hint);
      return undefined;
    }
    const timestamp = this.now();
    const token = code.replaceAll(/\s/g, '');
    const generator = this.generator(opened.text);
    const delta = generator.validate({ token, timestamp, window: WINDOW });
    return delta === null ? undefined : generator.counter({ timestamp }) + delta;
  }

  private generator(base32: string, label = ''): TOTP {
    const { issuer } = this.deps;
    return new TOTP({ issuer, label, secret: base32, algorithm: 'SHA1', digits: 6, period: PERIOD_S });
  }
}

/** As what a secret is sealed: one that is put into another account's row opens nothing there. */
function purpose(userId: string): string {
  return `totp ${userId}`;
}
