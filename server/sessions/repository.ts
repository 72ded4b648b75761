import type { Database, Executor } from '../database/database.ts';
import { prepared } from '../database/prepared.ts';
import type { EndReason, Session } from './model.ts';

/** Sessions that one list shows, at most. */
const MAX_LISTED = 500;

interface End {
  now: number;
  reason?: EndReason;
}

/** Sessions that one statement ends, where an account has far more than it may: the rest go with the next. */
const MAX_ENDED = 1000;

/** The table `sessions`. */
export class SessionsRepository {
  private readonly session = prepared((ask: { id: string }) => [
    this.database.read.selectFrom('sessions').selectAll().where('id', '=', ask.id).compile(),
  ]);

  constructor(private readonly database: Database) {}

  async insert(tx: Executor, session: Session): Promise<void> {
    await tx.insertInto('sessions').values(session).execute();
  }

  async byId(id: string): Promise<Session | undefined> {
    const [[session]] = await this.database.readTogether(this.session({ id }));
    return session;
  }

  /** Moves an open session from `generation` to the next. Of many at once one gets the row, the others nothing. */
  exchange(id: string, generation: number, times: { now: number; expiresAt: number }): Promise<Session | undefined> {
    return this.database.write
      .updateTable('sessions')
      .set({ generation: generation + 1, rotated_at: times.now, expires_at: times.expiresAt })
      .where('id', '=', id)
      .where('generation', '=', generation)
      .where('ended_at', 'is', null)
      .where('expires_at', '>', times.now)
      .returningAll()
      .executeTakeFirst();
  }

  /** Ends one session of a user where it is still open, and says whether it was. */
  async end(tx: Executor, userId: string, id: string, end: End): Promise<boolean> {
    const ended = await tx
      .updateTable('sessions')
      .set({ ended_at: end.now, end_reason: end.reason ?? null })
      .where('id', '=', id)
      .where('user_id', '=', userId)
      .where('ended_at', 'is', null)
      .returning('id')
      .execute();
    return ended.length > 0;
  }

  /** Ends a user's open sessions but `except`, and answers which they were. */
  async endAll(tx: Executor, userId: string, end: End, except?: string): Promise<string[]> {
    let query = tx
      .updateTable('sessions')
      .set({ ended_at: end.now, end_reason: end.reason ?? null })
      .where('user_id', '=', userId)
      .where('ended_at', 'is', null);
    if (except !== undefined) query = query.where('id', '!=', except);
    const ended = await query.returning('id').execute();
    return ended.map(({ id }) => id);
  }

  /** The open sessions of a user, the one used last first. */
  listOpen(userId: string, now: number): Promise<Session[]> {
    return this.database.read
      .selectFrom('sessions')
      .selectAll()
      .where('user_id', '=', userId)
      .where('ended_at', 'is', null)
      .where('expires_at', '>', now)
      .orderBy('rotated_at', 'desc')
      .orderBy('id', 'desc')
      .limit(MAX_LISTED)
      .execute();
  }

  /** Whether a user had a session on a device of this name at this address, as far as rows are kept. */
  async isFamiliar(tx: Executor, userId: string, device: string, address: string): Promise<boolean> {
    const [seen] = await tx
      .selectFrom('sessions')
      .select('id')
      .where('user_id', '=', userId)
      .where('device', '=', device)
      .where('address', '=', address)
      .limit(1)
      .execute();
    return seen !== undefined;
  }

  /** Writes down what was shown for an open session, and when. */
  prove(tx: Executor, id: string, { proofs, now }: { proofs: string; now: number }): Promise<Session | undefined> {
    return tx
      .updateTable('sessions')
      .set({ proofs, proved_at: now })
      .where('id', '=', id)
      .where('ended_at', 'is', null)
      .where('expires_at', '>', now)
      .returningAll()
      .executeTakeFirst();
  }

  /** Ends those of a user's open sessions that were used longest ago, all but `kept`, and answers which they were. */
  async endOldest(tx: Executor, userId: string, now: number, kept: number): Promise<string[]> {
    const oldest = tx
      .selectFrom('sessions')
      .select('id')
      .where('user_id', '=', userId)
      .where('ended_at', 'is', null)
      .orderBy('rotated_at', 'desc')
      .orderBy('id', 'desc')
      .limit(MAX_ENDED)
      .offset(kept);
    const ended = await tx
      .updateTable('sessions')
      .set({ ended_at: now })
      .where('id', 'in', oldest)
      .returning('id')
      .execute();
    return ended.map(({ id }) => id);
  }

  /** Deletes up to `limit` sessions that were ended before `before`. */
  async deleteEnded(before: number, limit: number): Promise<number> {
    const { write } = this.database;
    const ended = write.selectFrom('sessions').select('id').where('ended_at', '<', before).limit(limit);
    const result = await write.deleteFrom('sessions').where('id', 'in', ended).executeTakeFirst();
    return Number(result.numDeletedRows);
  }

  /** Deletes up to `limit` sessions that expired before `before`. */
  async deleteExpired(before: number, limit: number): Promise<number> {
    const { write } = this.database;
    const expired = write.selectFrom('sessions').select('id').where('expires_at', '<', before).limit(limit);
    const result = await write.deleteFrom('sessions').where('id', 'in', expired).executeTakeFirst();
    return Number(result.numDeletedRows);
  }
}
