import { PASSWORD_LENGTH } from '../../../protocol/limits.ts';
import { strings } from '../strings.ts';

/** 0: refused by the server; 1 to 4: from weak to strong. */
export interface Strength {
  score: 0 | 1 | 2 | 3 | 4;
  hint: string;
}

/** What everybody tries first; a password that holds one of these is worth what remains of it. */
const COMMON = [
  'password',
  'passwort',
  'qwerty',
  'letmein',
  'welcome',
  'iloveyou',
  'admin',
  'dragon',
  'monkey',
  'parley',
];
const RUNS = ['abcdefghijklmnopqrstuvwxyz', '0123456789', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm'];

/** A hint while a password is typed, and no more: the server alone says what it takes. */
export function strengthOf(password: string, personal: string[] = []): Strength {
  const { strength } = strings;
  const length = [...password].length;
  if (length < PASSWORD_LENGTH.min) return { score: 0, hint: strength.short(PASSWORD_LENGTH.min) };

  const lower = password.toLowerCase();
  const common = COMMON.find((word) => lower.includes(word));
  const own = personal.filter((word) => word.length >= 3 && lower.includes(word.toLowerCase()));
  const predictable = predictableIn(lower);
  const worth = length - predictable - (common?.length ?? 0) - own.join('').length;
  const bits = Math.max(0, worth) * Math.log2(alphabetOf(password));

  const score = bits >= 70 ? 4 : bits >= 50 ? 3 : bits >= 34 ? 2 : 1;
  if (score === 4) return { score, hint: strength.fine };
  if (common) return { score, hint: strength.common };
  if (own.length > 0) return { score, hint: strength.personal };
  if (predictable > 2) return { score, hint: strength.repeated };
  return { score, hint: strength.longer };
}

function alphabetOf(password: string): number {
  let size = 0;
  if (/[a-z]/.test(password)) size += 26;
  if (/[A-Z]/.test(password)) size += 26;
  if (/\d/.test(password)) size += 10;
  if (/[^a-zA-Z\d]/.test(password)) size += 33;
  return size;
}

/** Characters that follow from the one before: repeated, or the next of a row. */
function predictableIn(text: string): number {
  let count = 0;
  for (let at = 1; at < text.length; at++) {
    const pair = text.slice(at - 1, at + 1);
    const isRun = RUNS.some((run) => run.includes(pair) || run.includes([...pair].reverse().join('')));
    if (pair[0] === pair[1] || isRun) count++;
  }
  return count;
}
