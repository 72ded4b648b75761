import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { ALL_KINDS, playEvents } from '../chaos/model/events.ts';
import { endServers } from '../support/server.ts';

setDefaultTimeout(300_000);
afterAll(endServers);

/** A few; tests/chaos/events.test.ts plays as many as one likes. */
test('what consumers were told equals a fresh read and a replay of the changes', async () => {
  const seen = new Set<string>();
  for (const seed of [1, 2, 3]) {
    const { findings, kinds } = await playEvents(seed);
    expect(findings).toEqual([]);
    for (const kind of kinds) seen.add(kind);
  }
  expect([...seen].sort()).toEqual(ALL_KINDS);
});
