import type { Selectable } from 'kysely';
import type { EventKind } from '../chat/events/event.ts';
import type { EventHead } from '../chat/events/event-head.ts';
import type { ParkedJobsTable } from '../database/schema.ts';

export type ParkedJob = Selectable<ParkedJobsTable>;

/** The event of a parked job as it was kept; undefined where a version that knew messages only kept its number alone. */
export function headOfParked(job: ParkedJob): EventHead | undefined {
  if (job.rev === null || job.kind === null) return undefined;
  return {
    kind: job.kind as EventKind,
    rev: job.rev,
    at: job.event_at ?? job.parked_at,
    seq: job.seq ?? undefined,
    messageSeq: job.message_seq ?? undefined,
    actorId: job.actor_id ?? undefined,
    userIds: job.user_ids === null ? undefined : JSON.parse(job.user_ids),
    emoji: job.emoji ?? undefined,
    isCoalesced: job.actor_id === null,
  };
}
