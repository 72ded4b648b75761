import { z } from 'zod';
import { Email } from '../../protocol/requests.ts';
import type { Executor } from '../database/database.ts';
import type { JobHandler } from '../jobs/handlers.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Outcome } from '../shared/outcome.ts';
import { isLanguage, isLetter, type Language, type LetterName, type LetterParameters, write } from './letters/index.ts';
import type { Smtp } from './smtp.ts';

/** The kind of its jobs in the queue. */
export const MAIL = 'mail';
/** Longer than any of the mail server's time-outs by themselves. */
const TRY_TIMEOUT_MS = 120_000;

/** A letter to be written, as the queue keeps it: no text of it, and no secret. */
const MailJob = z.object({
  to: Email,
  letter: z.string().refine(isLetter),
  language: z.string().refine(isLanguage),
  parameters: z.record(z.string(), z.unknown()),
});
type MailJob = z.output<typeof MailJob>;

export interface LetterTo<Name extends LetterName> {
  to: string;
  letter: Name;
  language: Language;
  parameters: LetterParameters[Name];
}

export interface MailsDeps {
  /** Left out where the installation has no mail. */
  smtp?: Smtp;
  queue: JobQueue<Record<typeof MAIL, MailJob>>;
  /** The host of `PUBLIC_URL`. */
  host: string;
}

/** Letters to people: written in the transaction of their cause, and tried from then on until the mail server has taken them. */
export class Mails {
  constructor(private readonly deps: MailsDeps) {}

  /** Whether this installation has mail. */
  get isPossible(): boolean {
    return this.deps.smtp !== undefined;
  }

  /** Fails with `mail_unavailable` where the installation has no mail. */
  requirePossible(): void {
    if (!this.isPossible) throw new ParleyError('mail_unavailable');
  }

  /** Sends a letter once `tx` is committed: the queue looks for what is due twice a second. */
  async send<Name extends LetterName>(tx: Executor, letter: LetterTo<Name>): Promise<void> {
    this.requirePossible();
    await this.deps.queue.enqueue(tx, { kind: MAIL, payload: { ...letter }, priority: 'high' });
  }

  /** Tries to send a letter at once, past the queue: for an operator who wants to know whether mail works. */
  sendNow(job: MailJob, id: string): Promise<Outcome> {
    this.requirePossible();
    const { smtp, host } = this.deps;
    const parameters = { ...job.parameters, host } as LetterParameters[LetterName] & { host: string };
    const letter = write(job.letter as LetterName, job.language as Language, parameters);
    return smtp!.send({ to: job.to, letter, messageId: `<${id}@${host}>` });
  }

  /**
   * What the queue's runner does with a letter. At least once: where the process ends after the mail server has taken a letter
   * and before that is written down, the letter goes again, under the same Message-ID.
   */
  get handler(): JobHandler<MailJob> {
    return {
      schema: MailJob,
      timeoutMs: TRY_TIMEOUT_MS,
      handle: (job, { jobId }) => this.sendNow(job, jobId),
    };
  }
}
