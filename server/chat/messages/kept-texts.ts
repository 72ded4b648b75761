import type { Database } from '../../database/database.ts';
import { dropMeta, readMeta, setMeta } from '../../database/meta.ts';

/** Conversations, and messages of one, that are looked through together. */
const CONVERSATIONS = 500;
const MESSAGES = 5000;
/** How far this has come, under `meta`: the last conversation that was looked through. It is there until all are. */
const PLACE = 'system_texts';

/**
 * Takes the texts out of system messages that a version before wrote into their rows: they hold names as they once were, and
 * nobody reads them any more. In small steps, beside the running server; a later call goes on where one was broken off, and
 * does nothing once all are gone. A migration says that there may be some.
 */
export async function clearKeptTexts(database: Database, signal: AbortSignal): Promise<void> {
  let place = await readMeta(database.read, PLACE);
  while (place !== undefined && !signal.aborted) {
    const groups = await listGroups(database, place);
    for (const id of groups) {
      await clearGroup(database, id, signal);
      if (signal.aborted) return;
    }
    const next = groups.length < CONVERSATIONS ? undefined : groups.at(-1)!;
    await database.transaction((tx) => (next === undefined ? dropMeta(tx, PLACE) : setMeta(tx, PLACE, next)));
    place = next;
  }
}

async function listGroups({ read }: Database, after: string): Promise<string[]> {
  // Direct conversations have no system messages.
  let query = read
    .selectFrom('conversations')
    .select('id')
    .where('type', '=', 'group')
    .orderBy('id')
    .limit(CONVERSATIONS);
  if (after !== '') query = query.where('id', '>', after);
  return (await query.execute()).map(({ id }) => id);
}

async function clearGroup({ read, write }: Database, id: string, signal: AbortSignal): Promise<void> {
  let from = 0;
  while (!signal.aborted) {
    const rows = await read
      .selectFrom('messages')
      .select(({ eb }) => [
        'seq',
        eb
          .case()
          .when(eb.and([eb('type', '=', 'system'), eb('content', '<>', '')]))
          .then(1)
          .else(0)
          .end()
          .as('has_text'),
      ])
      .where('conversation_id', '=', id)
      .where('seq', '>', from)
      .orderBy('seq')
      .limit(MESSAGES)
      .execute();
    const seqs = rows.filter((row) => row.has_text).map(({ seq }) => seq);
    for (let start = 0; start < seqs.length; start += CONVERSATIONS) {
      await write
        .updateTable('messages')
        .set({ content: '' })
        .where('conversation_id', '=', id)
        .where('seq', 'in', seqs.slice(start, start + CONVERSATIONS))
        .execute();
    }
    if (rows.length < MESSAGES) return;
    from = rows.at(-1)!.seq;
  }
}
