import type { Insertable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { AuditTable } from '../database/schema.ts';
import type { Logger } from '../shared/logger.ts';
import { AUDIT_KINDS, type AuditEvent } from './events.ts';
import type { AuditRepository } from './repository.ts';

/** Refusals that wait to be written, at most. What comes beyond that is in the log alone, and counted. */
const MAX_WAITING = 1000;
/** How long refusals are gathered before they are written together, in milliseconds. */
const GATHER_MS = 500;

export interface AuditTrailDeps {
  repository: AuditRepository;
  database: Database;
  log: Logger;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

/**
 * Who did what to which account, and what was refused (ASVS 16.3). What was done is a row in the transaction that did it, so
 * that there is neither without the other. What was refused changes nothing, and is written soon after: many refusals cost one
 * transaction, and none waits for it. Each is a line of the log too, where `audit` is its kind.
 */
export class AuditTrail {
  private readonly now: () => number;
  private waiting: Insertable<AuditTable>[] = [];
  private lost = 0;
  private timer: Timer | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly deps: AuditTrailDeps) {
    this.now = deps.now ?? Date.now;
  }

  /** Writes what was done, in the transaction that does it. Call `tell` once that is committed. */
  async write(tx: Executor, events: AuditEvent[]): Promise<void> {
    await this.deps.repository.insert(
      tx,
      events.map((event) => this.row(event, 'done')),
    );
  }

  /** Logs what was done. */
  tell(events: AuditEvent[]): void {
    for (const event of events) this.deps.log.info(lineOf(event), AUDIT_KINDS[event.kind].done);
  }

  /** Notes what was refused, or did not fit. */
  refused(event: AuditEvent): void {
    const level = event.kind === 'refresh.reused' ? 'warn' : 'info';
    this.deps.log[level](lineOf(event), AUDIT_KINDS[event.kind].refused);
    if (this.waiting.length >= MAX_WAITING) {
      this.lost++;
      return;
    }
    this.waiting.push(this.row(event, 'refused'));
    this.timer ??= setTimeout(() => this.writeWaiting(), GATHER_MS);
  }

  /** Writes what waits, before the database is closed. */
  async flush(): Promise<void> {
    this.writeWaiting();
    await this.writing;
  }

  private writeWaiting(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const [rows, lost] = [this.waiting, this.lost];
    if (rows.length === 0) return;
    this.waiting = [];
    this.lost = 0;
    this.writing = this.writing.then(async () => {
      try {
        if (lost > 0) this.deps.log.warn({ lost }, 'too many refusals at once: these are in the log alone');
        await this.deps.database.transaction((tx) => this.deps.repository.insert(tx, rows));
      } catch (error) {
        // They are in the log, and nothing waits for them.
        this.deps.log.error({ err: error, lost: rows.length }, 'refusals could not be written to the audit trail');
      }
    });
  }

  private row(event: AuditEvent, outcome: 'done' | 'refused'): Insertable<AuditTable> {
    const { kind, actorId, subjectId, sessionId, whence, detail } = event;
    return {
      id: Bun.randomUUIDv7(),
      at: this.now(),
      kind,
      outcome,
      actor_id: actorId ?? null,
      subject_id: subjectId ?? null,
      session_id: sessionId ?? null,
      address: whence.address ?? null,
      request_id: whence.requestId ?? null,
      detail: detail === undefined ? null : JSON.stringify(detail),
    };
  }
}

function lineOf({ kind, actorId, subjectId, sessionId, whence, detail }: AuditEvent): object {
  return {
    audit: kind,
    actor_id: actorId,
    user_id: subjectId,
    session_id: sessionId,
    address: whence.address,
    request_id: whence.requestId,
    ...detail,
  };
}
