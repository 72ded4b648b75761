import type { Transaction } from 'kysely';
import type { AuditEvent } from '../audit/events.ts';
import type { AuditTrail } from '../audit/trail.ts';
import type { AccountNews, Bus } from '../bus/bus.ts';
import type { Database } from '../database/database.ts';
import { type OutboxNote, writeOutbox } from '../database/outbox.ts';
import type { Schema } from '../database/schema.ts';

/** Says what a change did, for all who keep copies of accounts and sessions. */
export type Tell = (news: AccountNews) => void;
/** Says what a change did, for the audit trail. */
export type Record = (event: AuditEvent) => void;

/** A change of accounts and sessions: its transaction, and who is told of it. */
export interface Change {
  tx: Transaction<Schema>;
  tell: Tell;
  record: Record;
}

/**
 * The one way in which accounts and sessions change: what a change tells is written to the outbox in its own transaction
 * and published on the bus after the commit, and what it records is in the audit trail exactly when it is committed. So nobody
 * has to remember either.
 */
export class AccountChanges {
  constructor(
    private readonly database: Database,
    private readonly bus: Bus,
    readonly audit: AuditTrail,
    private readonly now: () => number = Date.now,
  ) {}

  async run<T>(work: (change: Change) => Promise<T>): Promise<T> {
    let told: AccountNews[] = [];
    let recorded: AuditEvent[] = [];
    const result = await this.database.transaction(async (tx) => {
      told = [];
      recorded = [];
      const tell = (news: AccountNews) => void told.push(news);
      const record = (event: AuditEvent) => void recorded.push(event);
      const result = await work({ tx, tell, record });
      await writeOutbox(tx, told.flatMap(toNotes), this.now());
      await this.audit.write(tx, recorded);
      return result;
    });
    for (const news of told) this.bus.publish('accounts', news);
    this.audit.tell(recorded);
    return result;
  }
}

function toNotes(news: AccountNews): OutboxNote[] {
  if (news.kind === 'user_changed') return [{ kind: 'user', user_id: news.user_id }];
  return news.session_ids.map((session_id) => ({ kind: 'session', user_id: news.user_id, session_id }));
}
