import type { Transaction } from 'kysely';
import type { AccountNews, Bus } from '../bus/bus.ts';
import type { Database } from '../database/database.ts';
import { type OutboxNote, writeOutbox } from '../database/outbox.ts';
import type { Schema } from '../database/schema.ts';

/** Says what a change did, for all who keep copies of accounts and sessions. */
export type Tell = (news: AccountNews) => void;

/**
 * The one way in which accounts and sessions change: what a change tells is written to the outbox in its own transaction
 * and published on the bus after the commit, so that nobody has to remember either.
 */
export class AccountChanges {
  constructor(
    private readonly database: Database,
    private readonly bus: Bus,
    private readonly now: () => number = Date.now,
  ) {}

  async run<T>(work: (tx: Transaction<Schema>, tell: Tell) => Promise<T>): Promise<T> {
    let told: AccountNews[] = [];
    const result = await this.database.transaction(async (tx) => {
      told = [];
      const result = await work(tx, (news) => told.push(news));
      await writeOutbox(tx, told.flatMap(toNotes), this.now());
      return result;
    });
    for (const news of told) this.bus.publish('accounts', news);
    return result;
  }
}

function toNotes(news: AccountNews): OutboxNote[] {
  if (news.kind === 'user_changed') return [{ kind: 'user', user_id: news.user_id }];
  return news.session_ids.map((session_id) => ({ kind: 'session', user_id: news.user_id, session_id }));
}
