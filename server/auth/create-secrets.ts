import type { Config } from '../config/config.ts';
import { derivedKey } from '../shared/derived-key.ts';
import { SealedIds } from '../shared/sealed-ids.ts';
import { loadSecret } from './secret.ts';

/** What signs tokens, and what is derived from it. */
export interface Secrets {
  secret: string;
  previousSecret: string;
  /** Makes the tokens and codes of tickets and links. */
  seals: SealedIds;
}

/** Loads the installation's secret, once: in memory each load would make another. */
export function createSecrets({ auth, data }: Pick<Config, 'auth' | 'data'>): Secrets {
  const secret = loadSecret(auth, data.dir);
  const previousSecret = auth.jwt_secret_previous;
  const previous = previousSecret === '' ? [] : [derivedKey(previousSecret, 'sealed ids')];
  return { secret, previousSecret, seals: new SealedIds([derivedKey(secret, 'sealed ids'), ...previous]) };
}
