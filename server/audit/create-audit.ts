import type { Core } from '../core.ts';
import type { Part } from '../part.ts';
import { sweep } from '../shared/sweep.ts';
import { AuditRepository } from './repository.ts';
import { AuditTrail } from './trail.ts';

const SWEEP_MS = 24 * 3_600_000;
const SWEEP_CHUNK = 1000;

export interface AuditPart extends Part {
  audit: AuditTrail;
}

/** The audit trail: what happened to accounts and sessions, kept for `AUDIT_RETENTION`. */
export function createAudit({ config, logger, lifecycle, database }: Core): AuditPart {
  const repository = new AuditRepository(database);
  const audit = new AuditTrail({ repository, database, log: logger });
  lifecycle.onStop('flush', 'audit', () => audit.flush());
  const keptMs = config.auth.audit_retention;
  return {
    audit,
    duties: [
      {
        name: 'audit',
        everyMs: SWEEP_MS,
        run: (signal) => sweep(SWEEP_CHUNK, (limit) => repository.deleteBefore(Date.now() - keptMs, limit), signal),
      },
    ],
  };
}
