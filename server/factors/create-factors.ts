import type { AuthPart } from '../auth/create-auth.ts';
import { PasswordTries } from '../auth/password-tries.ts';
import type { Secrets } from '../config/secret.ts';
import type { Core } from '../core.ts';
import type { Mails } from '../mail/mails.ts';
import type { Part } from '../part.ts';
import type { Sessions } from '../sessions/create-sessions.ts';
import { derivedKeys } from '../shared/derived-key.ts';
import { SealedTexts } from '../shared/sealed-text.ts';
import type { UsersService } from '../users/service.ts';
import { RecoveryCodes } from './recovery-codes.ts';
import { RecoveryCodesRepository } from './recovery-codes-repository.ts';
import { factorRoutes } from './routes.ts';
import { FactorsService } from './service.ts';
import { Totp } from './totp.ts';
import { TotpRepository } from './totp-repository.ts';

/** So often it is looked for secrets that are sealed with a key of before, in milliseconds. */
const RESEAL_MS = 10 * 60_000;

export interface FactorsPart extends Part {
  factors: FactorsService;
}

type Needs = Pick<AuthPart, 'auth' | 'entrance' | 'tickets' | 'passwords' | 'arrivals'> &
  Pick<Sessions, 'sessions' | 'changes'> & { users: UsersService; mails: Mails; secrets: Secrets };

/** The second factor: authenticator apps and recovery codes. */
export function createFactors({ config, logger, database, limits }: Core, needs: Needs): FactorsPart {
  const { auth, entrance, tickets, passwords, arrivals, secrets, sessions, changes, users, mails } = needs;
  const totp = new Totp({
    repository: new TotpRepository(database),
    seals: new SealedTexts(derivedKeys(secrets, 'second factors')),
    log: logger,
    issuer: issuerOf(config.server.public_url),
  });
  const codes = new RecoveryCodes({ repository: new RecoveryCodesRepository(database), passwords, database });
  const tries = new PasswordTries(
    { login_account: limits.mfa, login_account_strangers: limits.mfa_strangers },
    secrets.current,
  );
  const factors = new FactorsService({
    users,
    sessions,
    changes,
    auth,
    entrance,
    tickets,
    totp,
    codes,
    tries,
    limits,
    mails,
    config: config.auth,
  });
  users.onDeleted((userId) => factors.forget(userId));
  return {
    factors,
    routes: [factorRoutes({ factors, arrivals })],
    duties: [{ name: 'factor-seals', everyMs: RESEAL_MS, run: (signal) => totp.resealAll(signal) }],
  };
}

/** Whose server it is, as apps show it. A colon would end the name there. */
function issuerOf(publicUrl: string): string {
  return publicUrl === '' ? 'Parley' : `Parley ${new URL(publicUrl).hostname.replaceAll(/[:[\]]/g, ' ').trim()}`;
}
