import { type OptionsType, ZxcvbnFactory } from '@zxcvbn-ts/core';
import { PASSWORD_LENGTH } from '../../../protocol/limits.ts';
import { type PasswordWeakness, passwordWeakness } from '../../../protocol/password-weakness.ts';
import { characterCount, normalPassword } from '../../../protocol/text.ts';

/** A password that is being chosen, and whose it is to be. */
export interface Question {
  password: string;
  /** What the person is called. */
  names: string[];
  /** The host of the installation's address; empty where it is not known. */
  host: string;
}

/** What is easy to guess in a password; `longer` where nothing stands out. */
export type Advice = PasswordWeakness | 'repeated' | 'row' | 'date' | 'longer' | 'fine';

export interface Strength {
  /** 0: too short for the server; 1 to 4: from weak to strong. */
  level: 0 | 1 | 2 | 3 | 4;
  advice: Advice;
  /** Why a server that refuses weak passwords would refuse this one. */
  weakness?: PasswordWeakness;
}

/** The word lists and keyboards that passwords are compared with. */
export type Library = Required<Pick<OptionsType, 'dictionary' | 'graphs'>>;

/** The estimate takes longer with each character; whoever types more than these has a strong one. */
const LOOKED_AT = 64;

const ADVICE: Partial<Record<string, Advice>> = {
  common: 'common',
  topTen: 'common',
  topHundred: 'common',
  similarToCommon: 'common',
  userInputs: 'name',
  simpleRepeat: 'repeated',
  extendedRepeat: 'repeated',
  sequences: 'row',
  straightRow: 'row',
  keyPattern: 'row',
  dates: 'date',
  recentYears: 'date',
};

/** Judges passwords while they are typed: the server's own rule, and an estimate of how many guesses they would take. */
export class PasswordStrength {
  private readonly common: ReadonlySet<string>;
  private readonly estimator: ZxcvbnFactory;

  constructor(library: Library) {
    this.common = new Set(library.dictionary['passwords-common'] as string[]);
    this.estimator = new ZxcvbnFactory({ ...library, maxLength: LOOKED_AT });
  }

  of({ password, names, host }: Question): Strength {
    if (characterCount(normalPassword(password)) < PASSWORD_LENGTH.min) return { level: 0, advice: 'longer' };
    const weakness = passwordWeakness(password, { common: this.common, names, host });
    if (weakness) return { level: 1, advice: weakness, weakness };
    const parts = names.flatMap((name) => [name, ...name.split(/[^\p{L}\p{N}]+/u)]).filter(({ length }) => length > 2);
    const { score, feedback } = this.estimator.check(password, parts);
    const level = score === 0 ? 1 : score;
    return { level, advice: level === 4 ? 'fine' : (ADVICE[feedback.warning ?? ''] ?? 'longer') };
  }
}
