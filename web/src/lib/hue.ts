const HUES = 8;

/** One of the hues of people, always the same for one id. */
export function hueOf(id: string): number {
  let sum = 0;
  for (let at = 0; at < id.length; at++) sum = (sum * 31 + id.charCodeAt(at)) >>> 0;
  return sum % HUES;
}

/** One or two letters that stand for a name. */
export function initialsOf(name: string): string {
  const words = name.split(/[\s._-]+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = words.length > 1 ? [words[0]!, words.at(-1)!] : words.slice(0, 1);
  const initials = letters.map((word) => [...word].find((one) => /[\p{L}\p{N}]/u.test(one)) ?? '').join('');
  return initials.toLocaleUpperCase() || '?';
}
