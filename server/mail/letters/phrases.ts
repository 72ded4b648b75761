import type { Link } from '../link-addresses.ts';
import type { Letter } from './letter.ts';

/** What every letter knows. */
export interface Sender {
  /** Whose server it is: the host of `PUBLIC_URL`. */
  host: string;
  /** The address of its web client. */
  home: string;
}

/** Where something was done from, and when. */
export type Doing = {
  device: string;
  address: string;
  /** Milliseconds since the Unix epoch. */
  at: number;
};

/** A change of how an account is signed in to. */
export type FactorChange = {
  /** Milliseconds since the Unix epoch. */
  at: number;
};

export type FactorRemoved = FactorChange & {
  /** Whether those who run the installation did it, who also ended all sessions. */
  byOperator: boolean;
};

export type RecoveryUsed = FactorChange & {
  device: string;
  address: string;
  /** Codes that are left. */
  left: number;
};

/** What those did who run the installation. */
export type DoneByOperator = {
  /** Milliseconds since the Unix epoch. */
  at: number;
};

/** A letter with a link: the queue holds the id of the link's row, and what it leads to is computed when it is written. */
export type Linked = { link: string };

/** What a letter of each kind is told beside who sends it, as the queue keeps it. */
export interface LetterParameters {
  test: Record<string, never>;
  newSignIn: Doing;
  /** Is this address yours? */
  verify: Linked;
  /** A new password. */
  reset: Linked;
  passwordChanged: Doing;
  /** Those who run the installation gave an account another password. */
  passwordGiven: DoneByOperator;
  /** Which name it was and is stands in no letter: the new one is whatever somebody wants to be read there. */
  usernameChanged: Doing;
  /** To another, or to none. */
  phoneChanged: Doing;
  /** To the address that an account had before. */
  addressChanged: Doing;
  /** To the address that those who run the installation took from an account. */
  addressReleased: DoneByOperator;
  /** To who has an account with the address that somebody gave for another. */
  addressTaken: Record<string, never>;
  factorAdded: FactorChange;
  factorRemoved: FactorRemoved;
  recoveryRenewed: FactorChange;
  recoveryUsed: RecoveryUsed;
}
export type LetterName = keyof LetterParameters;

/** The letters with links. */
export const LINKED = ['verify', 'reset'] as const satisfies LetterName[];
type LinkedName = (typeof LINKED)[number];

/** What a letter is written of. */
export type Written<Name extends LetterName> = (Name extends LinkedName ? Link : LetterParameters[Name]) & Sender;

/** The letters of one language. Each is a plain function: what it is given is shown as text, whatever it holds. */
export type Phrases = { [Name in LetterName]: (parameters: Written<Name>) => Letter };

/** A moment as a letter says it: the reader's time zone is not known, so that it is said which one it is. */
export function moment(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' }).format(at);
}
