import type { Core } from '../core.ts';
import { derivedKeys, type Secrets as KeySources } from '../shared/derived-key.ts';
import { SealedIds } from '../shared/sealed-ids.ts';

/** What signs tokens, and what is derived from it. */
export interface Secrets extends KeySources {
  /** Makes the tokens and codes of tickets and links. */
  seals: SealedIds;
}

/** What signing in makes of the installation's secret. */
export function createSecrets({ secrets: { current, previous } }: Pick<Core, 'secrets'>): Secrets {
  const sources = { secret: current, previousSecret: previous };
  return { ...sources, seals: new SealedIds(derivedKeys(sources, 'sealed ids')) };
}
