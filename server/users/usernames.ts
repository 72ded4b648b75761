import { createHash } from 'node:crypto';
import type { Config } from '../config/config.ts';

/**
 * Usernames: letters, digits and `. _ -` of ASCII, compared without case. That is a part of what the UsernameCaseMapped profile
 * of RFC 8265 takes, and the part in which no two spellings of one name exist, nothing turns the direction of writing, and of
 * Unicode's confusable characters few are left.
 */

/**
 * What of ASCII looks alike, each letter as what stands for all of its kind: by Unicode's confusables.txt, for UTS #39, that is
 * `0 O`, `1 I l` and `m rn`; with case set aside `i` is one of the second kind. `w vv` is ours.
 */
const LOOKALIKES: Readonly<Record<string, string>> = { '0': 'o', '1': 'l', i: 'l', m: 'rn', w: 'vv' };

/** What a name looks like: names with one skeleton cannot be told apart at a glance (UTS #39, §4). */
export function skeletonOf(username: string): string {
  return username.toLowerCase().replace(/[01imw]/g, (letter) => LOOKALIKES[letter]!);
}

/** Under which a name is claimed. Nobody reads the name itself from it: of a deleted account nothing else of it is kept. */
export function claimOf(username: string): string {
  return createHash('sha256').update(skeletonOf(username)).digest('base64url');
}

/** Nobody may be taken for those who run the installation, for everybody, or for nobody (RFC 2142 names some of them). */
const RESERVED = [
  ...['admin', 'administrator', 'administrators', 'admins', 'root', 'superuser', 'sysadmin', 'system', 'sysop'],
  ...['support', 'help', 'helpdesk', 'security', 'abuse', 'moderator', 'moderators', 'staff', 'official'],
  ...['postmaster', 'hostmaster', 'webmaster', 'noreply', 'mailer-daemon'],
  ...['everyone', 'everybody', 'all', 'here', 'channel'],
  ...['deleted', 'deleted-user', 'unknown', 'anonymous', 'nobody', 'somebody', 'null', 'undefined'],
  ...['api', 'me', 'self', 'parley'],
];

const SEPARATORS = /[._-]+/g;
const shapeOf = (name: string) => skeletonOf(name.replace(SEPARATORS, ''));

/** Which usernames nobody can choose. */
export class ReservedUsernames {
  private readonly shapes: Set<string>;

  constructor({
    auth,
    server,
  }: { auth: Pick<Config['auth'], 'reserved_usernames'>; server: Pick<Config['server'], 'public_url'> }) {
    this.shapes = new Set([...RESERVED, ...auth.reserved_usernames, ...ownNames(server.public_url)].map(shapeOf));
    this.shapes.delete(''); // of a setting that names separators only
  }

  /** Whether a name is reserved, or looks like one that is, or is made of such names: `Admin`, `adm1n`, `a.d.m.i.n`, `parley_support`. */
  has(username: string): boolean {
    if (this.shapes.has(shapeOf(username))) return true;
    const words = username.split(SEPARATORS).filter((word) => word !== '');
    return words.length > 0 && words.every((word) => this.shapes.has(shapeOf(word)));
  }
}

/** The names that an installation has by its address: of `https://chat.example.com` its host, `chat` and `example`. */
function ownNames(publicUrl: string): string[] {
  if (publicUrl === '') return [];
  const { hostname } = new URL(publicUrl);
  if (/^\[|^[\d.]+$/.test(hostname)) return []; // an address of numbers
  const labels = hostname.split('.');
  const own = labels.length > 1 ? labels.slice(0, -1) : labels;
  return [hostname, ...own.filter((label) => label.length > 2 && label !== 'www')];
}
