import { Database } from 'bun:sqlite';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { type Environment, runParley, startServer, type TestServer, temporaryFolder } from '../server.ts';

/** A server that notes each statement that it prepares. */
export interface NotingServer {
  server: TestServer;
  /** All so far, each once. */
  statements(): string[];
  /** Runs another command of the program on the same data, whose statements are noted too. */
  run(args: string[]): ReturnType<typeof runParley>;
}

export async function startNotingServer(env: Environment = {}): Promise<NotingServer> {
  // The schema is made before: how that is made is not asked for.
  const DATA_DIR = temporaryFolder();
  await runParley(['migrate', 'up'], { DATA_DIR });
  const file = join(temporaryFolder(), 'statements');
  writeFileSync(file, '');
  const command = [process.execPath, join(import.meta.dir, 'main.ts')];
  const server = await startServer({ ...env, DATA_DIR, TEST_STATEMENTS: file }, command);
  const lines = () => readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return {
    server,
    statements: () => [...new Set(lines().map((line) => JSON.parse(line) as string))],
    run: (args) => runParley(args, { ...env, DATA_DIR, TEST_STATEMENTS: file }, command),
  };
}

/** What of a plan visits rows beyond those that an index leads to, in the engine's own words. */
export interface Visit {
  statement: string;
  /** `scan <table>`: all rows of a table, or of an index without a place to begin; `sort`: all that is found, before the first. */
  visits: string[];
}

const IS_QUERY = /^(\/\*.*?\*\/ )?\s*(select|with|insert|update|delete)\b/i;
/** At the start the migrator looks at the schema itself. */
const IS_MIGRATOR = /kysely_migration|sqlite_master|pg_catalog|information_schema/;

/** How a server's database would run statements: what it would visit without bounds of an index. */
export async function planAll(server: TestServer, statements: string[]): Promise<Visit[]> {
  const queries = statements.filter((text) => IS_QUERY.test(text) && !IS_MIGRATOR.test(text));
  return server.databaseUrl === undefined
    ? planOnSqlite(server.dataDir, queries)
    : planOnPostgres(server.databaseUrl, queries);
}

function planOnSqlite(dataDir: string, statements: string[]): Visit[] {
  const database = new Database(join(dataDir, 'parley.db'), { readonly: true });
  const plans = statements.map((statement) => {
    const lines = database.prepare<{ detail: string }, []>(`explain query plan ${statement}`).all();
    // What a part of the statement found is not a table.
    const found = new Set(lines.map(({ detail }) => /^(?:CO-ROUTINE|MATERIALIZE) (\S+)/.exec(detail)?.[1]));
    const visits = lines.flatMap(({ detail }) => {
      const [, scanned] = /^SCAN (\S+)/.exec(detail) ?? [];
      if (scanned && !found.has(scanned) && !/^(CONSTANT|\d+-ROW)$/.test(scanned)) return [`scan ${scanned}`];
      return /^USE TEMP B-TREE FOR (ORDER BY|GROUP BY|DISTINCT)/.test(detail) ? ['sort'] : [];
    });
    return { statement, visits };
  });
  database.close();
  return plans;
}

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Cond'?: string;
  'Recheck Cond'?: string;
  'TID Cond'?: string;
  Plans?: PlanNode[];
}

async function planOnPostgres(url: string, statements: string[]): Promise<Visit[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // As if every table were large: where there is a way along an index, it is taken. And for any values.
  await client.query('set enable_seqscan = off; set plan_cache_mode = force_generic_plan; set jit = off');
  const plans: Visit[] = [];
  for (const statement of statements) {
    if (statement.includes('pg_temp.')) continue; // lives in a session of its own, which may not scan
    const visits = await planOne(client, statement);
    // Of tables that are nearly empty a sort is as cheap as an index in that order: there may be one.
    const inOrder = visits.includes('sort') ? await planOne(client, statement, 'off') : visits;
    plans.push({ statement, visits: inOrder.length === 0 ? [] : visits });
  }
  await client.end();
  return plans;
}

async function planOne(client: pg.Client, statement: string, sorts = 'on'): Promise<string[]> {
  await client.query(`set enable_sort = ${sorts}; set enable_incremental_sort = ${sorts}`);
  await client.query(`prepare planned as ${statement}`);
  const { rows } = await client.query<{ count: number }>(
    `select cardinality(parameter_types)::int as count from pg_prepared_statements where name = 'planned'`,
  );
  const values = rows[0]!.count === 0 ? '' : `(${Array.from({ length: rows[0]!.count }, () => 'null').join(', ')})`;
  const explained = await client.query(`explain (format json) execute planned${values}`);
  await client.query('deallocate planned');
  return visitsOf(explained.rows[0]['QUERY PLAN'][0].Plan);
}

function visitsOf(node: PlanNode): string[] {
  const own: string[] = [];
  const kind = node['Node Type'];
  const isScan = /^(Seq|Index|Index Only|Bitmap Index|Tid) Scan$/.test(kind);
  if (isScan && !node['Index Cond'] && !node['TID Cond']) own.push(`scan ${node['Relation Name'] ?? 'by a bitmap'}`);
  if (/^(Sort|Incremental Sort)$/.test(kind)) own.push('sort');
  return [...own, ...(node.Plans ?? []).flatMap(visitsOf)];
}
