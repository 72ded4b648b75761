import { Id } from '../../../protocol/schemas.ts';
import { AUDIT_KINDS, type AuditKind } from '../../audit/events.ts';
import type { AuditQuery, AuditRepository, AuditRow } from '../../audit/repository.ts';
import { type Options as OptionsOf, type Output, runAlone, UsageError } from '../../shared/command-line.ts';
import { ParleyError } from '../../shared/errors.ts';
import { type Account, uniqueName } from '../../users/model.ts';
import type { UsersRepository } from '../../users/repository.ts';
import { momentOf } from './moment.ts';

export interface AuditDeps extends Output {
  trail: Pick<AuditRepository, 'list' | 'byId'>;
  users: Pick<UsersRepository, 'by' | 'byAddress' | 'byIds'>;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

const USAGE = `usage: parley audit [options]

What happened to accounts and sessions, and what was refused, the newest last.

  --account <who>       done by this account, or to it: an e-mail address, a username, or an id, also of a deleted account
  --kind <kind>         one kind, such as login or password.reset
  --result <result>     done or refused
  --since <when>        from then on: 2026-11-27, 2026-11-27T08:30 (UTC), 2026-11-27T08:30+02:00, or 90m, 24h or 7d ago
  --until <when>        before then
  --limit <count>       100 where it is left out
  --before <id>         what is older than that row: the page before
  --json                a line of JSON for each

Kinds: ${Object.keys(AUDIT_KINDS).sort().join(', ')}.
Rows are kept for AUDIT_RETENTION. Refusals of the last second may not be there yet.`;

/** How many are shown at once, at most: all of them are in memory. */
const MAX_SHOWN = 10_000;
const OUTCOMES = ['done', 'refused'] as const satisfies AuditRow['outcome'][];

type Option = 'account' | 'kind' | 'result' | 'since' | 'until' | 'limit' | 'before';
type Options = OptionsOf<Option, 'json'>;

/** There is no such account or row: the exit code is 1. */
class NotThere extends Error {}

/**
 * Runs `parley audit …`: reads the audit trail, whether or not a server is running on the database. Answers the exit code:
 * 0 read, 1 there is no such account or row, 2 not understood.
 */
export function runAudit(argv: string[], deps: AuditDeps): Promise<number> {
  return runAlone(argv, deps, {
    name: 'audit',
    usage: USAGE,
    command: {
      run: read,
      options: ['account', 'kind', 'result', 'since', 'until', 'limit', 'before'],
      flags: ['json'],
      args: 0,
    },
    isRefusal: (error) => error instanceof NotThere || error instanceof ParleyError,
  });
}

async function read(deps: AuditDeps, _args: string[], options: Options): Promise<void> {
  const { trail, print, complain } = deps;
  const query = await queryOf(deps, options);
  // One more tells whether there are older ones.
  const found = await trail.list({ ...query, limit: query.limit + 1 });
  const shown = found.slice(0, query.limit).reverse();
  const names = options.json ? undefined : await namesIn(deps, shown);
  for (const row of shown) print(names ? lineOf(row, names) : jsonOf(row));
  // Beside the rows, which a program may read.
  if (found.length > shown.length) complain(`there are older ones: --before ${shown[0]!.id}`);
}

async function queryOf(deps: AuditDeps, options: Options): Promise<AuditQuery> {
  const { account, kind, result, since, until, limit = '100', before } = options;
  const now = (deps.now ?? Date.now)();
  if (!/^[1-9]\d*$/.test(limit) || Number(limit) > MAX_SHOWN) {
    throw new UsageError(`--limit must be a whole number from 1 to ${MAX_SHOWN}`);
  }
  const query = {
    kind: oneOf('--kind', Object.keys(AUDIT_KINDS) as AuditKind[], kind),
    outcome: oneOf('--result', OUTCOMES, result),
    since: when('--since', since, now),
    until: when('--until', until, now),
    limit: Number(limit),
  };
  const place = before === undefined ? undefined : await placeOf(deps, before);
  const accountId = account === undefined ? undefined : await idOf(deps, account);
  return { ...query, before: place, accountId };
}

function oneOf<const Value extends string>(
  option: string,
  values: readonly Value[],
  given: string | undefined,
): Value | undefined {
  const value = values.find((one) => one === given);
  if (given !== undefined && value === undefined) throw new UsageError(`${option} must be one of ${values.join(', ')}`);
  return value;
}

function when(option: string, given: string | undefined, now: number): number | undefined {
  const moment = given === undefined ? undefined : momentOf(given, now);
  if (given !== undefined && moment === undefined) {
    throw new UsageError(`${option} must be a day, a time such as 2026-11-27T08:30, or how long ago, such as 24h`);
  }
  return moment;
}

async function placeOf({ trail }: AuditDeps, before: string): Promise<AuditRow> {
  const id = Id.safeParse(before);
  if (!id.success) throw new UsageError(`--before must be the id of a row, and "${before}" is none`);
  const row = await trail.byId(id.data);
  if (!row) throw new NotThere(`there is no row ${id.data}`);
  return row;
}

/** The account that is meant; an id may be that of a deleted one. */
async function idOf({ users }: AuditDeps, who: string): Promise<string> {
  const id = Id.safeParse(who);
  if (id.success) return id.data;
  const name = uniqueName(who.includes('@') ? { email: who } : { username: who });
  const isAddress = name?.column === 'email';
  const account = name && (await (isAddress ? users.byAddress(name.value) : users.by(name.column, name.value)));
  if (!account) throw new NotThere(`there is no user ${who}`);
  return account.id;
}

/** The usernames of those whom some rows name, by their ids. */
async function namesIn({ users }: AuditDeps, rows: AuditRow[]): Promise<Map<string, Account['username']>> {
  const ids = rows.flatMap(({ actor_id, subject_id }) => [actor_id, subject_id].filter((id) => id !== null));
  const accounts = await users.byIds([...new Set(ids)]);
  return new Map(accounts.map(({ id, username }) => [id, username]));
}

/** A row as people read it: when, how it ended, what, whose account, who did it where that is another, from where, and more. */
function lineOf(row: AuditRow, names: Map<string, Account['username']>): string {
  const { at, outcome, kind, subject_id, actor_id, session_id, address, request_id } = row;
  const called = (id: string) => `${names.get(id) ?? 'deleted user'} (${id})`;
  const details = Object.entries(detailOf(row)).map(([name, value]) => `${name}=${value}`);
  return [
    new Date(at).toISOString(),
    outcome.padEnd('refused'.length),
    kind,
    subject_id === null ? 'nobody' : called(subject_id),
    ...(actor_id !== null && actor_id !== subject_id ? [`by ${called(actor_id)}`] : []),
    ...(address === null ? [] : [`from ${address}`]),
    ...details,
    ...(session_id === null ? [] : [`session=${session_id}`]),
    ...(request_id === null ? [] : [`request=${request_id}`]),
  ].join('  ');
}

/** A row as programs read it: what is not known is left out. */
function jsonOf(row: AuditRow): string {
  const detail = row.detail && detailOf(row);
  const known = Object.entries({ ...row, at: new Date(row.at).toISOString(), detail });
  return JSON.stringify(Object.fromEntries(known.filter(([, value]) => value !== null)));
}

function detailOf({ detail }: AuditRow): Record<string, unknown> {
  return detail === null ? {} : JSON.parse(detail);
}
