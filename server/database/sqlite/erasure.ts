import { CoalescedTask } from '../../shared/coalesced-task.ts';
import type { Logger } from '../../shared/logger.ts';

/** The name under which the writer's thread empties its log, where something was erased. */
export const EMPTY_LOG_PROCEDURE = 'empty log';
/** What was deleted or replaced leaves the files within about so long, in milliseconds. */
const LOOK_MS = 2000;

interface Emptied {
  emptyLog(): Promise<void>;
}

/**
 * Deleted text in the files of SQLite: pages are overwritten with zeros (`secure_delete`), and the log beside the file, which holds
 * pages as they were before, is emptied soon after something was deleted or replaced. While nothing is, nothing is done.
 */
export class Erasure {
  private timer: Timer | undefined;
  private readonly emptying: CoalescedTask;

  constructor(database: Emptied, log: Logger) {
    // Looked at again at the next time: the log still holds what it is about.
    const failed = (error: unknown) => log.warn({ err: error }, 'the log of SQLite could not be emptied');
    this.emptying = new CoalescedTask(() => database.emptyLog(), failed);
  }

  start(): void {
    this.timer = setInterval(() => this.emptying.request(), LOOK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.emptying.idle();
  }
}

/** Tables whose rows hold nothing that anybody said or is called, and change all the time. */
const WORDLESS = new Set([
  'account_totals',
  'conversation_events',
  'duties',
  'job_cursors',
  'last_seen',
  'meta',
  'outbox',
  'participants',
  'sessions',
  'username_claims',
]);

/** Whether a statement deletes or replaces what people said. */
export function erases(sql: string): boolean {
  const [, verb, table] = /^(?:\/\*.*?\*\/ )?(update|delete from|insert into) "(\w+)"/.exec(sql) ?? [];
  if (table === undefined || WORDLESS.has(table)) return false;
  return verb !== 'insert into' || sql.includes(' do update ');
}
