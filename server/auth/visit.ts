import Bowser from 'bowser';
import type { Whence } from '../audit/events.ts';
import type { Language } from '../mail/letters/index.ts';
import type { TokenClaims } from '../sessions/model.ts';

/** Where a request comes from that signs in, or is about how somebody signs in. */
export interface Visit {
  /** The part of the client's address that counts. */
  address: string;
  /** For the audit trail: the whole address, and the request's id (ASVS 16.2.1). */
  whence: Whence;
  /** What the device is called in the list of sessions, such as "Firefox on Linux". */
  device: string;
  /** In which language to write to whoever asks. */
  language: Language;
}

/** A request that signs in. */
export interface Arrival extends Visit {
  /** What the device was given at its last log-in. */
  deviceToken?: string;
  /** The sessions that the browser was signed in to before, whoever's they are: they end with this one's beginning. */
  before: TokenClaims[];
}

/** As much of what a device calls itself as is looked at. */
const MAX_AGENT = 512;
const MAX_NAME = 60;
const UNKNOWN = 'unknown device';

/** A name that people know their device by; of a program what it calls itself, without its version. */
export function deviceName(agent: string): string {
  const text = agent.slice(0, MAX_AGENT);
  if (text.trim() === '') return UNKNOWN;
  const { browser, os } = Bowser.parse(text);
  const name = browser.name && os.name ? `${browser.name} on ${os.name}` : (text.split(/[\s/(]/)[0] ?? '');
  // It is shown to its owner, in the list and in letters: letters, digits and a few signs.
  return (
    name
      .replace(/[^\p{L}\p{N} ._-]/gu, '')
      .trim()
      .slice(0, MAX_NAME) || UNKNOWN
  );
}
