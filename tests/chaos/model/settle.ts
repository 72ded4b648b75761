import type { Head } from '../../../protocol/resources.ts';
import type { ModelClient } from './client.ts';
import { differences } from './compare.ts';
import { headsOf, readFresh } from './fresh.ts';
import { type Names, oldNames } from './names.ts';
import type { Person } from './person.ts';

/** Within this everything that was lost must be made good (PROTOCOL.md §7.5); the rest is for a busy machine. */
const BOUND_MS = 5000;
const SLACK_MS = 4000;
const LOOK_MS = 200;

/**
 * Waits until the store of every client equals what its user reads anew, and nothing moves any more. What is still
 * different after that is returned, in words. `names` are those that people go by now, which whatever is read anew must
 * show too.
 */
export async function settle(clients: ModelClient[], names: Names): Promise<string[]> {
  const deadline = Date.now() + BOUND_MS + SLACK_MS;
  /** Where all stood when a client's store was last found equal. */
  const equalAt = new Map<ModelClient, string>();
  let found = new Map<ModelClient, string[]>();
  for (;;) {
    found = new Map();
    const heads = new Map<Person, string>();
    for (const client of clients) {
      const { person } = client;
      if (!heads.has(person)) heads.set(person, await headsOf(person));
      if (equalAt.get(client) === heads.get(person)) continue;
      const different = await compare(client, JSON.parse(heads.get(person)!), names);
      if (different.length === 0) equalAt.set(client, heads.get(person)!);
      found.set(client, different);
    }
    // Equal all, and since a look at which each of them was equal already.
    if (found.size === 0) return [];
    if (Date.now() > deadline) break;
    await Bun.sleep(LOOK_MS);
  }
  return [...found].flatMap(([client, texts]) => {
    const name = `${client.person.username}, device ${clients.indexOf(client)}`;
    return texts.map((text) => `${name}: ${text}`);
  });
}

async function compare(client: ModelClient, heads: Head[], names: Names): Promise<string[]> {
  client.openAll();
  if (!client.isQuiet) return ['it is not connected, or has messages to send'];
  const store = client.snapshot();
  // Seen without reading all.
  const behind = heads.filter(({ id, seq }) => store.get(id)?.conversation.seq !== seq);
  if (behind.length > 0) return behind.map(({ id, seq }) => `${id}: is not in the store up to ${seq}`);
  const fresh = await readFresh(client.person, store);
  return [...differences(store, fresh), ...oldNames(fresh, names)];
}
