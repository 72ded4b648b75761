import type { Participant } from '../../../protocol/resources.ts';
import type { ConversationCopy, Snapshot } from './client.ts';

/** Where a store is not what a fresh read shows, in words; nothing where it is. */
export function differences(store: Snapshot, fresh: Snapshot): string[] {
  const found: string[] = [];
  for (const id of new Set([...store.keys(), ...fresh.keys()])) {
    const [held, shown] = [store.get(id), fresh.get(id)];
    if (!held) found.push(`${id}: is not in the store`);
    else if (!shown) found.push(`${id}: is in the store, and was left`);
    else found.push(...compareConversation(held, shown).map((text) => `${id}: ${text}`));
  }
  return found;
}

function compareConversation(held: ConversationCopy, shown: ConversationCopy): string[] {
  const found: string[] = [];
  const check = (what: string, one: unknown, other: unknown) => {
    const [is, shouldBe] = difference(canonical(one), canonical(other));
    if (is !== shouldBe) found.push(`${what} is ${is}, read ${shouldBe}`);
  };
  const fields = ({ conversation: { id, type, name, created_by, created_at, seq } }: ConversationCopy) => {
    return { id, type, name, created_by, created_at, seq };
  };
  check('the conversation', fields(held), fields(shown));
  check('what is unread', [held.unread_count, held.read_seq], [shown.unread_count, shown.read_seq]);
  check('the last message', held.last_message, shown.last_message);
  checkEach('participant', held.participants.map(withoutName), shown.participants.map(withoutName), check);
  checkEach('message', held.messages, shown.messages, check);
  return found;
}

/** Names are in no history: a store has them as of when it read them. */
function withoutName({ display_name: _, ...participant }: Participant) {
  return participant;
}

function checkEach<T extends { id: string }>(
  what: string,
  held: readonly T[],
  shown: readonly T[],
  check: (what: string, one: unknown, other: unknown) => void,
): void {
  check(
    `the order of each ${what}`,
    held.map(({ id }) => id),
    shown.map(({ id }) => id),
  );
  const byId = new Map(shown.map((one) => [one.id, one]));
  for (const one of held) if (byId.has(one.id)) check(`${what} ${one.id}`, one, byId.get(one.id));
}

/** Two values as texts, without the fields in which they are the same. */
function difference(one: unknown, other: unknown): [string, string] {
  const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isRecord(one) || !isRecord(other)) return [JSON.stringify(one), JSON.stringify(other)];
  const differs = (key: string) => JSON.stringify((one as Fields)[key]) !== JSON.stringify((other as Fields)[key]);
  const pick = (value: unknown) =>
    JSON.stringify(Object.fromEntries(Object.entries(value as Fields).filter(([key]) => differs(key))));
  return [pick(one), pick(other)];
}

type Fields = Record<string, unknown>;

/** The same value in one way: keys in order, nothing that is undefined. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, canonical(one)]));
}
