import type { Secrets as KeySources } from '../config/secret.ts';
import type { Core } from '../core.ts';
import { derivedKeys } from '../shared/derived-key.ts';
import { SealedIds } from '../shared/sealed-ids.ts';

/** What signs tokens, and what is derived from it. */
export interface Secrets extends KeySources {
  /** Makes the tokens and codes of tickets and links. */
  seals: SealedIds;
}

/** What signing in makes of the installation's secret. */
export function createSecrets({ secrets }: Pick<Core, 'secrets'>): Secrets {
  return { ...secrets, seals: new SealedIds(derivedKeys(secrets, 'sealed ids')) };
}
