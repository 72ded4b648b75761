import { beforeEach, describe, expect, test } from 'bun:test';
import { Seal } from '../redis/seal.ts';
import { FRESH_MS, MAX_PUBLICATION, SealedPublications } from './sealed-publications.ts';

const CHANNEL = 'parley:conversation:c';
const OLD = { current: 'the secret before', previous: '' };
const BOTH = { current: 'the secret', previous: 'the secret before' };
const NEW = { current: 'the secret', previous: '' };

/** The time that nodes share, in milliseconds. */
let now: number;
beforeEach(() => {
  now = 1_800_000_000_000;
});

const node = (secrets = NEW) => new SealedPublications(new Seal('publications', secrets), { now: () => now });

/** What another node makes of it: the text, or why it is refused. */
function heard(by: SealedPublications, publication: string | undefined, channel = CHANNEL): string {
  const opened = by.open(channel, publication!);
  return 'text' in opened ? opened.text : opened.refused;
}

describe('a publication', () => {
  test('is heard as it was published, on its channel alone', () => {
    const [here, there] = [node(), node()];
    for (const text of ['{}', '{"content":"Grüße 👋"}', '{"a":1}']) {
      expect(heard(there, here.close(CHANNEL, text))).toBe(text);
    }
    const publication = here.close(CHANNEL, '{}');
    for (const channel of ['parley:conversation:d', 'parley:conversation:', 'conversation:c', 'other:conversation:c']) {
      expect(heard(there, publication, channel)).toBe('forged');
    }
    expect(heard(there, publication)).toBe('{}');
  });

  test('of which anything was changed is forged: who said it, when, and what', () => {
    const publication = node().close(CHANNEL, '{"content":"pay Bob 1"}')!;
    const there = node();
    for (let index = 0; index < publication.length; index++) {
      const changed =
        publication.slice(0, index) + (publication[index] === '1' ? '2' : '1') + publication.slice(index + 1);
      expect(heard(there, changed)).toBe('forged');
    }
    for (const changed of [
      publication.slice(0, -1),
      `${publication} `,
      publication.slice(1),
      '',
      '{}',
      'é'.repeat(60),
    ]) {
      expect(heard(there, changed)).toBe('forged');
    }
    expect(heard(there, publication)).toBe('{"content":"pay Bob 1"}');
  });

  test('is heard once, in the order of its node, and those of another node between', () => {
    const [one, two, there] = [node(), node(), node()];
    const [first, second] = [one.close(CHANNEL, '1'), one.close(CHANNEL, '2')];
    const other = two.close(CHANNEL, 'other');
    expect(heard(there, first)).toBe('1');
    expect(heard(there, first)).toBe('repeated');
    expect(heard(there, second)).toBe('2');
    expect(heard(there, other)).toBe('other');
    for (const again of [first, second, other]) expect(heard(there, again)).toBe('repeated');
    expect(heard(there, one.close(CHANNEL, '3'))).toBe('3');
  });

  test('is late a moment after, also for a node that hears its like for the first time', () => {
    const publication = node().close(CHANNEL, '{}');
    now += FRESH_MS;
    expect(heard(node(), publication)).toBe('{}');
    now += 1;
    expect(heard(node(), publication)).toBe('late');
    now -= 2 * FRESH_MS + 2;
    expect(heard(node(), publication)).toBe('late');
  });

  test('goes on where the clock went back', () => {
    const [here, there] = [node(), node()];
    expect(heard(there, here.close(CHANNEL, '1'))).toBe('1');
    now -= 1000;
    expect(heard(there, here.close(CHANNEL, '2'))).toBe('2');
  });

  test('is heard while the secret is being rotated, and of nobody with another', () => {
    expect(heard(node(BOTH), node(OLD).close(CHANNEL, '{}'))).toBe('{}');
    expect(heard(node(NEW), node(BOTH).close(CHANNEL, '{}'))).toBe('{}');
    expect(heard(node(NEW), node(OLD).close(CHANNEL, '{}'))).toBe('forged');
    // A seal of another kind is none, though the secret is the same.
    const sessions = new SealedPublications(new Seal('sessions', NEW), { now: () => now });
    expect(heard(node(), sessions.close(CHANNEL, '{}'))).toBe('forged');
  });

  test('that is too long is neither made nor read', () => {
    expect(node().close(CHANNEL, 'x'.repeat(MAX_PUBLICATION + 1))).toBeUndefined();
    const longest = node().close(CHANNEL, 'x'.repeat(MAX_PUBLICATION))!;
    expect(heard(node(), `${longest}x`)).toBe('oversized');
    expect(heard(node(), longest)).toHaveLength(MAX_PUBLICATION);
  });

  test('of very many nodes leaves nothing behind of those that are silent', () => {
    const there = node();
    for (let round = 0; round < 5; round++) {
      for (let count = 0; count < 100; count++) expect(heard(there, node().close(CHANNEL, '{}'))).toBe('{}');
      now += 3 * FRESH_MS;
    }
    expect((there as unknown as { heard: Map<string, number> }).heard.size).toBeLessThanOrEqual(200);
  });
});
