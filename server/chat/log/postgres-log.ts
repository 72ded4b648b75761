import type pg from 'pg';
import { isConnectionLost, isMachineFault, wasInTheWay } from '../../database/postgres/faults.ts';
import type { PostgresDatabase } from '../../database/postgres/postgres-database.ts';
import { checkRequirements } from '../../database/postgres/requirements.ts';
import { type AppendAnswer, type AppendRow, BatchError, type LogDriver } from './log-driver.ts';
import { type AppendResult, CALL_APPEND, CREATE_APPEND, PLAN_APPEND } from './postgres-append.ts';

/** For how long a batch of which nobody knows whether it was committed is tried again, and how often, in milliseconds. */
const SETTLE_MS = 5000;
const SETTLE_PAUSE_MS = 100;

/** A call costs what some thirty messages cost; from here on a larger batch hardly lowers what each costs. */
const MAX_BATCH = 256;

/** The log in PostgreSQL: a batch is one call of a function, on a connection of the log's own. */
export class PostgresLog implements LogDriver {
  readonly maxBatch = MAX_BATCH;
  private readonly connection: pg.Pool;

  constructor(database: PostgresDatabase) {
    this.connection = database.ownConnection(async (client) => {
      // Also after a failover: what is acknowledged rests on the server that is there now.
      await checkRequirements(client as never);
      await client.query(PLAN_APPEND);
      await client.query(CREATE_APPEND);
    });
  }

  async append(take: () => AppendRow[]): Promise<AppendAnswer[]> {
    let rows: AppendRow[] | undefined;
    try {
      return await this.call(() => {
        rows = take();
        return rows;
      });
    } catch (error) {
      if (rows && (isConnectionLost(error) || wasInTheWay(error))) return this.settle(rows, error);
      throw new BatchError(isRowAtFault(error), error);
    }
  }

  /**
   * The connection broke, and the batch may have been committed or not. It is tried again: the keys that it left, if it
   * was, say where its messages stand.
   */
  private async settle(rows: AppendRow[], failure: unknown): Promise<AppendAnswer[]> {
    const deadline = Date.now() + SETTLE_MS;
    let error = failure;
    while (Date.now() < deadline) {
      await Bun.sleep(SETTLE_PAUSE_MS);
      try {
        return await this.call(() => rows);
      } catch (again) {
        error = again;
        if (!isMachineFault(again)) break;
      }
    }
    throw new BatchError(isRowAtFault(error), error);
  }

  private async call(take: () => AppendRow[]): Promise<AppendAnswer[]> {
    const client = await this.connection.connect();
    let lost = false;
    try {
      const rows = take();
      if (rows.length === 0) return [];
      const { rows: results } = await client.query<AppendResult>({
        name: 'append',
        text: CALL_APPEND,
        values: toArrays(rows),
      });
      return results.map((_, place) => toAnswer(place, rows, results));
    } catch (error) {
      lost = isConnectionLost(error);
      throw error;
    } finally {
      client.release(lost);
    }
  }
}

/** A column of the batch as PostgreSQL reads an array. Ids and numbers need no quotes; texts are the client's to quote. */
const arrayOf = (values: (string | number | undefined)[]) => `{${values.map((value) => value ?? 'NULL').join(',')}}`;

function toArrays(rows: AppendRow[]): unknown[] {
  return [
    arrayOf(rows.map((row) => row.id)),
    arrayOf(rows.map((row) => row.conversationId)),
    arrayOf(rows.map((row) => row.senderId)),
    rows.map((row) => row.clientId),
    rows.map((row) => row.type),
    rows.map((row) => row.content),
    arrayOf(rows.map((row) => row.sentAt)),
    arrayOf(rows.map((row) => row.replyToId)),
    Date.now(),
  ];
}

function toAnswer(place: number, rows: AppendRow[], results: AppendResult[]): AppendAnswer {
  const [row, result] = [rows[place]!, results[place]!];
  const { seq, rev } = result;
  // Known by its own id: an earlier try of this very batch stored it, and nobody was told.
  if (result.is_new || result.id === row.id) {
    if (result.quoted_sender_id === null) return { kind: 'appended', seq, rev };
    const quoted = { senderId: result.quoted_sender_id, content: result.quoted_content! };
    return { kind: 'appended', seq, rev, quoted };
  }
  if (result.id !== null) return { kind: 'known', id: result.id, seq, rev, sentAt: result.sent_at! };
  const first = result.first_place === null ? place : result.first_place - 1;
  if (first < place) {
    const { id, sentAt } = rows[first]!;
    return { kind: 'known', id, seq: results[first]!.seq, rev: results[first]!.rev, sentAt };
  }
  return result.is_participant ? { kind: 'quoted_not_found' } : { kind: 'not_found' };
}

/** A constraint or a value is a row's fault (SQLSTATE 22 and 23); anything else is the machine's. */
function isRowAtFault(error: unknown): boolean {
  return /^2[23]/.test((error as { code?: string }).code ?? '');
}
