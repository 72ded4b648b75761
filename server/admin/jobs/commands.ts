import { Id } from '../../../protocol/schemas.ts';
import { lineOf, linesOf } from '../../jobs/describe-job.ts';
import type { ParkedRepository } from '../../jobs/parked-repository.ts';
import { type Command, type Options, type Output, runCommand, UsageError } from '../../shared/command-line.ts';
import type { ParkedJob } from '../../worker/model.ts';
import type { ParkedJobsRepository } from '../../worker/parked-jobs-repository.ts';

export interface JobsDeps extends Output {
  /** Messages that a consumer gave up on. */
  jobs: ParkedJobsRepository;
  /** Jobs of the queue. */
  queue: ParkedRepository;
}

const USAGE = `usage: parley jobs <command>

  list [--limit 100]    jobs that were given up, the oldest first
  show <id>             one of them
  retry <id>|all        try again, with all tries: a server that runs on the same database does it at once
  discard <id>|all      forget them; they are never done

A job is one event for one consumer, such as webhooks ("event"), or one of the queue ("job"). What a message says is
not shown, nor what a job carries, but for the names of its fields.`;

/** How many are listed, at most. */
const MAX_LISTED = 10_000;

/** There is no such job: the exit code is 1. */
class NoSuchJob extends Error {}

const COMMANDS: Record<string, Command<JobsDeps, 'limit'>> = {
  list: { run: list, options: ['limit'], args: 0 },
  show: { run: show, options: [], args: 1 },
  retry: { run: retry, options: [], args: 1 },
  discard: { run: discard, options: [], args: 1 },
};

/**
 * Runs `parley jobs …`: what an operator does about parked jobs, whether or not a server is running on the database.
 * Answers the exit code: 0 done, 1 there is no such job, 2 not understood.
 */
export function runJobs(argv: string[], deps: JobsDeps): Promise<number> {
  const isRefusal = (error: unknown) => error instanceof NoSuchJob;
  return runCommand(argv, deps, { usage: USAGE, commands: COMMANDS, isRefusal });
}

async function list(
  { jobs, queue, print }: JobsDeps,
  _args: string[],
  { limit = '100' }: Options<'limit'>,
): Promise<void> {
  if (!/^[1-9]\d*$/.test(limit) || Number(limit) > MAX_LISTED) {
    throw new UsageError(`--limit must be a whole number from 1 to ${MAX_LISTED}`);
  }
  const [events, queued] = await Promise.all([jobs.list(Number(limit)), queue.list(Number(limit))]);
  const lines = [
    ...events.map((job) => ({ at: Number(job.parked_at), line: eventLine(job) })),
    ...queued.map((job) => ({ at: Number(job.parked_at), line: lineOf(job) })),
  ];
  for (const { line } of lines.sort((a, b) => a.at - b.at).slice(0, Number(limit))) print(line);
}

function eventLine(job: ParkedJob): string {
  const place = `${job.conversation_id}/${placeOf(job)}`;
  const fields = [job.id, 'event', job.consumer, place, kindOf(job), stateOf(job), job.reason];
  return fields.join('  ');
}

async function show({ jobs, queue, print }: JobsDeps, [argument]: string[]): Promise<void> {
  const id = checkId(argument!);
  const queued = await queue.find(id);
  if (queued) return linesOf(queued).forEach(print);
  const job = await jobs.find(id);
  if (!job) throw new NoSuchJob(`there is no job ${id}`);
  print(`id            ${job.id}`);
  print(`consumer      ${job.consumer}`);
  print(`event         ${kindOf(job)}`);
  print(`conversation  ${job.conversation_id}`);
  if (job.rev !== null) print(`rev           ${job.rev}`);
  const seq = job.seq ?? job.message_seq;
  if (seq !== null) print(`seq           ${seq}`);
  print(`tries         ${job.attempts}`);
  print(`last failure  ${job.reason}`);
  print(`state         ${stateOf(job)}`);
}

async function retry({ jobs, queue, print }: JobsDeps, [argument]: string[]): Promise<void> {
  print(
    `${await changed(argument!, async (id) => (await jobs.retry(id)) + (await queue.retry(id)))} to be tried again`,
  );
}

async function discard({ jobs, queue, print }: JobsDeps, [argument]: string[]): Promise<void> {
  print(`${await changed(argument!, async (id) => (await jobs.discard(id)) + (await queue.discard(id)))} discarded`);
}

async function changed(argument: string, change: (id?: string) => Promise<number>): Promise<number> {
  if (argument === 'all') return change();
  const id = checkId(argument);
  const count = await change(id);
  if (count === 0) throw new NoSuchJob(`there is no job ${id}`);
  return count;
}

/** A job that a version left that knew messages only has a number of a message, and no `rev`. */
function kindOf({ kind }: ParkedJob): string {
  return kind ?? 'message.created';
}

function placeOf({ rev, seq }: ParkedJob): string {
  return rev === null ? `seq ${seq}` : `rev ${rev}`;
}

function stateOf({ parked_at, next_at }: ParkedJob): string {
  const since = new Date(Number(parked_at)).toISOString();
  return next_at === null ? `parked ${since}` : `to be tried again, parked ${since}`;
}

function checkId(text: string): string {
  const result = Id.safeParse(text);
  if (!result.success) throw new UsageError(`${text} is no id of a job`);
  return result.data;
}
