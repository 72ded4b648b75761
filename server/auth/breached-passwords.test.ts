import { afterAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BreachedPasswords } from './breached-passwords.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-breached-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex').toUpperCase();

let files = 0;
function write(text: string | Buffer): string {
  const path = join(folder, `list-${++files}.txt`);
  writeFileSync(path, text);
  return path;
}

const known = Array.from({ length: 5000 }, (_, n) => `breached ${n}`);
const unknown = Array.from({ length: 500 }, (_, n) => `kept for oneself ${n}`);
const sorted = known.map(sha1).sort();

describe('a list of breached passwords', () => {
  test.each<[string, string]>([
    ['with counts, as it is published', sorted.map((hash, n) => `${hash}:${n + 1}\r\n`).join('')],
    ['with line feeds', sorted.map((hash, n) => `${hash}:${10 ** (n % 9)}\n`).join('')],
    ['without counts, and without an end to its last line', sorted.join('\n')],
    ['in small letters', sorted.map((hash) => `${hash.toLowerCase()}:1\n`).join('')],
    ['with padded lines', sorted.map((hash, n) => `${hash}:${n}`.padEnd(63).concat('\r\n')).join('')],
  ])('has each of them and no other: %s', async (_, text) => {
    const list = await BreachedPasswords.open(write(text));
    for (const password of known) expect({ password, has: await list.has(password) }).toEqual({ password, has: true });
    for (const password of unknown)
      expect({ password, has: await list.has(password) }).toEqual({ password, has: false });
    await list.close();
  });

  test.each([1, 2, 3, 60, 75, 90, 91, 92, 93, 94, 95])('may be as short as %d lines', async (count) => {
    const few = known.slice(0, count);
    const text = few
      .map(sha1)
      .sort()
      .map((hash) => `${hash}:1\n`)
      .join('');
    const list = await BreachedPasswords.open(write(text));
    for (const password of few) expect(await list.has(password)).toBe(true);
    for (const password of known.slice(count, count + 50)) expect(await list.has(password)).toBe(false);
    await list.close();
  });

  test('knows a password in its normal form and as it was typed', async () => {
    const [typed, normal] = ['ｐａｓｓ cafe\u0301', 'pass caf\u00e9'];
    for (const form of [typed, normal]) {
      const list = await BreachedPasswords.open(write(`${sha1(form)}:1\n`));
      expect(await list.has(typed)).toBe(true);
      await list.close();
    }
  });

  test.each<[string, string | Buffer, string]>([
    ['empty', '', 'is empty'],
    ['of passwords themselves', 'password\n123456\n', 'holds no SHA-1'],
    ['of NTLM hashes', '8846F7EAEE8FB117AD06BDD830B7586C:5\n', 'holds no SHA-1'],
    ['not text', Buffer.from([0, 1, 2, 3, 255]), 'holds no SHA-1'],
    ['of one endless line', 'A'.repeat(100_000), 'holds no SHA-1'],
    ['in two bytes a letter', Buffer.from(`${sorted.join('\n')}\n`, 'utf16le'), 'holds no SHA-1'],
    [
      'with something else in its middle',
      [...sorted.slice(0, 2500), ...Array(200).fill('else'), ...sorted.slice(2500)].join('\n'),
      'holds no SHA-1',
    ],
    ['ordered by how often they were seen', known.map(sha1).join(':9\n'), 'is not in the order of its hashes'],
    ['of two lists, one behind the other', [...sorted, ...sorted].join('\n'), 'is not in the order of its hashes'],
    ['turned around', sorted.toReversed().join('\n'), 'is not in the order of its hashes'],
  ])('is refused where it is %s', async (_, text, complaint) => {
    const path = write(text);
    await expect(BreachedPasswords.open(path)).rejects.toThrow(`PASSWORD_BLOCKLIST names ${path}, which ${complaint}`);
  });

  test('that is cut or overwritten later says that it cannot be looked up', async () => {
    const text = sorted.map((hash) => `${hash}:1\n`).join('');
    const path = write(text);
    const list = await BreachedPasswords.open(path);
    const [first = '', last = ''] = [sorted[0]!, sorted.at(-1)!].map((hash) => known.find((one) => sha1(one) === hash));
    truncateSync(path, 10_000);
    await expect(list.has(last)).rejects.toMatchObject({ code: 'unavailable' });
    writeFileSync(path, 'nonsense\n'.repeat(text.length / 9));
    await expect(list.has(first)).rejects.toMatchObject({ code: 'unavailable' });
    await list.close();
    await expect(list.has(first)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('that cannot be read in time says so, and takes a few at once and a few that wait', async () => {
    const path = write(sorted.map((hash) => `${hash}:1\n`).join(''));
    const late = await BreachedPasswords.open(path, { lookUpMs: 0 });
    const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => late.has('nobody knows')));
    expect(outcomes.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(90);
    await late.close();

    const list = await BreachedPasswords.open(path);
    const crowd = await Promise.allSettled(Array.from({ length: 300 }, () => list.has('nobody knows')));
    const refused = crowd.filter((one) => one.status === 'rejected');
    expect(refused.length).toBeWithin(90, 101);
    expect(refused[0]!.reason).toMatchObject({ code: 'unavailable' });
    expect(await list.has(known[0]!)).toBe(true);
    await list.close();
  });
});
