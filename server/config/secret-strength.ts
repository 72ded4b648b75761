import { deflateRawSync } from 'node:zlib';

/** What a secret has to have: characters, and bytes that are left of it when all that can be guessed is taken away. */
interface Strength {
  characters: number;
  bytes: number;
}

/** Of what signs: 16 random bytes in hexadecimal digits have 29 left or more, 32 random digits 27. */
const SIGNING: Strength = { characters: 32, bytes: 24 };
/** Of what is only compared, and shorter: eight random bytes in hexadecimal digits have 14 left or more. */
const COMPARED: Strength = { characters: 16, bytes: 13 };

/** Of which secrets are made that are none: of manuals, of examples, and of keys that lie side by side. */
const GUESSED = `
0123456789 9876543210 abcdefghijklmnopqrstuvwxyz zyxwvutsrqponmlkjihgfedcba qwertyuiop qwertzuiop asdfghjkl zxcvbnm yxcvbnm
1q2w3e4r5t6y7u8i9o0p letmein password passw0rd hunter2 correct horse battery staple admin local test development production
default example sample placeholder insert todo replace-me replace_me replaceme change-me change_me changeme changeit
please-change-this-secret in-production do-not-use parley messenger webhook metrics jwt_secret jwt-secret jwtsecret whsec_
token signing-key your_jwt_secret your-secret-key my-secret-key super_secret top-secret supersecret super-secret
at-least-32-characters-long a-long-random-string 32-characters-or-more your-256-bit-secret
a-string-secret-at-least-256-bits-long openssl rand -hex 32 openssl rand -base64 48
`;

/**
 * Why a secret that signs is none, to be said behind its name; undefined where it may be one. A secret that is long and
 * repeats itself, counts up or is made of words of manuals is guessed as soon as one that is short: what compression leaves
 * of it, by a dictionary of such words, says how much of it is its own (ASVS 11.2.3, 13.3.4).
 */
export function weakness(secret: string): string | undefined {
  return weaknessOf(secret, SIGNING, 'openssl rand -base64 48');
}

/** The same for a token that others bring, and that nothing is signed with. */
export function tokenWeakness(token: string): string | undefined {
  const isLong = token.length >= SIGNING.characters;
  return weaknessOf(token, isLong ? SIGNING : COMPARED, 'openssl rand -hex 24');
}

function weaknessOf(secret: string, { characters, bytes }: Strength, command: string): string | undefined {
  if (secret.length < characters) return `must have ${characters} characters or more: make one with "${command}"`;
  if (ownBytes(secret) >= bytes) return undefined;
  return `must be random, not repeated, counted up or made of words of examples: make one with "${command}"`;
}

function ownBytes(secret: string): number {
  return deflateRawSync(secret.toLowerCase(), { dictionary: Buffer.from(GUESSED), level: 9 }).length;
}
