import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import pg from 'pg';
import { ParleyError } from '../../shared/errors.ts';
import { isConnectionLost, toUnavailable } from './faults.ts';

/** Until a connection is there, whether new or one that others use, in milliseconds. */
const CONNECT_MS = 5000;
/** The server ends a statement that takes longer, or waits longer for a lock, and a transaction that idles longer. */
const STATEMENT_MS = 20_000;
const LOCK_MS = 10_000;
const IDLE_IN_TRANSACTION_MS = 15_000;
/** When nothing at all is heard of a statement, as after a cable was pulled, its connection is given up. */
const SILENCE_MS = 30_000;
/** Who waits beyond this is told to come back: a queue without a limit only hides that nothing moves. */
const MAX_WAITING = 10_000;
/** Texts that get a prepared statement on each connection; Kysely's differ only with the length of their lists. */
const MAX_STATEMENTS = 500;

const INT8 = 20;

/** Counters and times are 64 bits there and numbers here: exact up to 2^53, and never silently wrong beyond. */
function toSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond what a number holds exactly`);
  return value;
}

const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? toSafeInteger : pg.types.getTypeParser(oid, format as 'text'),
};

export interface PoolOptions {
  url: string;
  /** Connections at most. */
  size: number;
  /** Whether statements may take, and wait for locks, as long as they do. */
  isPatient?: boolean;
  /** Prepares each connection before its first use; one that cannot be prepared is not used. */
  onConnect?(client: pg.ClientBase): Promise<void>;
}

/** Connections with limits and time-outs. They are made when they are needed, and made anew when they were lost. */
export function createPool({ url, size, isPatient = false, onConnect }: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'parley',
    max: size,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: isPatient ? 0 : STATEMENT_MS,
    lock_timeout: isPatient ? 0 : LOCK_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    query_timeout: isPatient ? 0 : SILENCE_MS,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    types,
    // Statements go out without waiting for the answers to those before them, which come in their order.
    pipeline: true,
    onConnect,
  });
  // Who uses a connection that is lost hears it from the query; without a listener the event would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', () => {});
  return pool;
}

/** A connection for a while. Failures of the machine come out as `unavailable`, and a broken one is thrown away. */
export class GuardedClient implements PostgresPoolClient {
  private broken = false;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly names: Map<string, string>,
  ) {}

  get processID(): number | undefined {
    return (this.client as { processID?: number }).processID;
  }

  query<Row>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<Row>>;
  query(): never;
  async query<Row>(text = '', parameters: readonly unknown[] = []): Promise<PostgresQueryResult<Row>> {
    if (this.broken) throw new ParleyError('unavailable');
    try {
      const result = await this.client.query({ name: this.nameOf(text), text, values: [...parameters] });
      return result as unknown as PostgresQueryResult<Row>;
    } catch (error) {
      if (isConnectionLost(error)) this.broken = true;
      throw toUnavailable(error);
    }
  }

  release(destroy = false): void {
    this.client.release(destroy || this.broken);
  }

  /** The name of a statement that is worth to be prepared, so that the server plans it once a connection. */
  private nameOf(text: string): string | undefined {
    const known = this.names.get(text);
    if (known !== undefined || this.names.size >= MAX_STATEMENTS) return known;
    const name = `s${this.names.size}`;
    this.names.set(text, name);
    return name;
  }
}

/** A pool whose failures are the program's own. */
export class GuardedPool implements PostgresPool {
  private readonly names = new Map<string, string>();
  private readonly pool: pg.Pool;

  constructor(options: PoolOptions) {
    this.pool = createPool(options);
  }

  get options(): object {
    return this.pool.options;
  }

  async connect(): Promise<GuardedClient> {
    if (this.pool.waitingCount >= MAX_WAITING) throw new ParleyError('unavailable');
    try {
      return new GuardedClient(await this.pool.connect(), this.names);
    } catch (error) {
      throw toUnavailable(error);
    }
  }

  /** Runs `work` with a connection of its own. */
  async with<T>(work: (client: GuardedClient) => Promise<T>): Promise<T> {
    const client = await this.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  }

  end(): Promise<void> {
    return this.pool.end();
  }
}
