import { sql } from 'kysely';
import { CoalescedTask } from '../shared/coalesced-task.ts';
import type { Logger } from '../shared/logger.ts';
import type { Database, Executor } from './database.ts';
import { readMeta, setMeta } from './meta.ts';

/** Between two looks at whether the history is still the same, in milliseconds. */
const LOOK_MS = 2000;

/**
 * The name of this history: it changes when the log may have gone back, as after a restored backup or a failover
 * (PROTOCOL.md §7.4).
 *
 * PostgreSQL says by itself when that may be: a standby that was promoted, and a backup that was rolled forward, begin
 * another timeline, and another cluster has another identifier. What is not seen from there is told by `parley epoch new`.
 */
export class Epoch {
  private known = '';
  /** The epoch that `onChange` has dealt with; behind `known` where it failed, and is to be called again. */
  private told = '';
  private timer: Timer | undefined;
  private readonly looking = new CoalescedTask(
    () => this.compare(),
    (error) => this.log.warn({ err: error }, 'the epoch could not be followed'),
  );

  constructor(
    private readonly database: Database,
    private readonly log: Logger,
    /** Told when the epoch is another one, while the server runs, and told again until it does not fail. */
    private readonly onChange: () => Promise<void>,
  ) {}

  get current(): string {
    return this.known;
  }

  async start(): Promise<void> {
    await followHistory(this.database);
    this.known = await readEpoch(this.database);
    this.told = this.known;
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Looks at once, as it does by itself every 2 s. */
  look(): void {
    this.looking.request();
  }

  /** Resolves once nothing is under way any more. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking.idle();
  }

  private async compare(): Promise<void> {
    await followHistory(this.database);
    const epoch = await readEpoch(this.database);
    if (epoch !== this.known) {
      this.known = epoch;
      this.log.warn({ epoch }, 'the log may have gone back: there is a new epoch, and clients load anew');
    }
    if (this.told === epoch) return;
    await this.onChange();
    this.told = epoch;
  }
}

/** Gives the history another name: clients drop what they hold and load anew. For after a restored backup. */
export async function renewEpoch(database: Database): Promise<string> {
  const epoch = newName();
  await database.transaction((tx) => setMeta(tx, 'epoch', epoch));
  return epoch;
}

async function readEpoch(database: Database): Promise<string> {
  return (await readMeta(database.read, 'epoch'))!;
}

/** Renews the epoch where PostgreSQL has come to another timeline, once, whichever node is the first to see it. */
async function followHistory(database: Database): Promise<void> {
  if (database.engine !== 'postgres') return;
  const history = await currentHistory(database.read);
  if ((await readMeta(database.read, 'history')) === history) return;
  await database.transaction(async (tx) => {
    await sql`select 1 from meta where key = 'epoch' for update`.execute(tx);
    const before = await readMeta(tx, 'history');
    if (before === history) return;
    await setMeta(tx, 'history', history);
    if (before !== undefined) await setMeta(tx, 'epoch', newName());
  });
}

/** Which cluster this is, and on which timeline: the first eight digits of the file of the log that it writes. */
async function currentHistory(executor: Executor): Promise<string> {
  const { rows } = await sql<{ history: string }>`
    select system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) as history
    from pg_control_system()`.execute(executor);
  return rows[0]!.history;
}

function newName(): string {
  return Bun.randomUUIDv7().replaceAll('-', '');
}
