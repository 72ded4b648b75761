import type { QueuedJob } from './parked-repository.ts';

/** A job of the queue in a line, as `parley jobs list` shows it beside the events of consumers. */
export function lineOf(job: QueuedJob): string {
  return [job.id, 'job', job.kind, job.dedupe_key ?? '-', stateOf(job), job.reason ?? '-'].join('  ');
}

/** A job of the queue in lines. What it carries may be secret: of the payload only the names of its fields are told. */
export function linesOf(job: QueuedJob): string[] {
  return [
    `id            ${job.id}`,
    `kind          ${job.kind}`,
    `key           ${job.dedupe_key ?? '-'}`,
    `payload       ${fieldsOf(job.payload)}`,
    `tries         ${job.attempts}`,
    `last failure  ${job.reason ?? '-'}`,
    `made          ${timeOf(job.created_at)}`,
    `state         ${stateOf(job)}`,
  ];
}

function stateOf({ parked_at, owner, due_at, lease_until }: QueuedJob): string {
  if (parked_at !== null) return `parked ${timeOf(parked_at)}`;
  return owner === null ? `waits, not before ${timeOf(due_at)}` : `runs, until ${timeOf(Number(lease_until))} at most`;
}

function fieldsOf(payload: string): string {
  const value: unknown = JSON.parse(payload);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return `${payload.length} characters`;
  return Object.keys(value).join(', ') || 'empty';
}

const timeOf = (ms: number): string => new Date(Number(ms)).toISOString();
