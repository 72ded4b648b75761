import type { Letter } from './letter.ts';

/** What every letter knows. */
export interface Sender {
  /** Whose server it is: the host of `PUBLIC_URL`. */
  host: string;
}

export type NewSignIn = {
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

/** What a letter of each kind is told beside who sends it. */
export interface LetterParameters {
  test: Record<string, never>;
  newSignIn: NewSignIn;
  factorAdded: FactorChange;
  factorRemoved: FactorRemoved;
  recoveryRenewed: FactorChange;
  recoveryUsed: RecoveryUsed;
}
export type LetterName = keyof LetterParameters;

/** The letters of one language. Each is a plain function: what it is given is shown as text, whatever it holds. */
export type Phrases = { [Name in LetterName]: (parameters: LetterParameters[Name] & Sender) => Letter };

/** A moment as a letter says it: the reader's time zone is not known, so that it is said which one it is. */
export function moment(at: number, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' }).format(at);
}
