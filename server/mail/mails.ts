import { z } from 'zod';
import { Email } from '../../protocol/requests.ts';
import type { Executor } from '../database/database.ts';
import type { JobHandler } from '../jobs/handlers.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Outcome } from '../shared/outcome.ts';
import {
  isLanguage,
  isLetter,
  isLinked,
  type Language,
  type LetterName,
  type LetterParameters,
  type Written,
  write,
} from './letters/index.ts';
import type { LinkAddresses } from './link-addresses.ts';
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
  /** Where links are shown instead, in `local` without mail: beside the log of who started it by hand. */
  terminal?: (text: string) => void;
  links: LinkAddresses;
  queue: JobQueue<Record<typeof MAIL, MailJob>>;
  /** The host of `PUBLIC_URL`. */
  host: string;
  /** `PUBLIC_URL`, or where the server listens. */
  home: string;
}

/** Letters to people: written in the transaction of their cause, and tried from then on until the mail server has taken them. */
export class Mails {
  constructor(private readonly deps: MailsDeps) {}

  /** Whether this installation has mail. */
  get isPossible(): boolean {
    return this.deps.smtp !== undefined;
  }

  /** Whether letters with links reach who asked for them: by mail, or by the terminal of a server that was started by hand. */
  get reachesSomebody(): boolean {
    return this.isPossible || this.deps.terminal !== undefined;
  }

  /** Fails with `mail_unavailable` where the installation has no mail. */
  requirePossible(): void {
    if (!this.isPossible) throw new ParleyError('mail_unavailable');
  }

  /** Sends a letter once `tx` is committed: the queue looks for what is due twice a second. */
  async send<Name extends LetterName>(tx: Executor, letter: LetterTo<Name>): Promise<void> {
    if (!this.reachesSomebody) throw new ParleyError('mail_unavailable');
    await this.deps.queue.enqueue(tx, { kind: MAIL, payload: { ...letter }, priority: 'high' });
  }

  /** Letters that were committed go at once, where this node sends them. */
  wake(): void {
    this.deps.queue.wake();
  }

  /** Tries to send a letter at once, past the queue: for an operator who wants to know whether mail works. */
  sendNow(job: MailJob, id: string): Promise<Outcome> {
    this.requirePossible();
    const { smtp, host, home } = this.deps;
    const parameters = { ...job.parameters, ...this.linkOf(job), host, home } as unknown as Written<LetterName>;
    const letter = write(job.letter as LetterName, job.language as Language, parameters);
    return smtp!.send({ to: job.to, letter, messageId: `<${id}@${host}>` });
  }

  /** Shows the link of a letter where the server was started. What has no link is for nobody there. */
  private show(job: MailJob): Outcome {
    const link = this.linkOf(job);
    if (!link) return { kind: 'done' };
    const code = job.letter === 'verify' ? `\n  or the code ${link.code}` : '';
    this.deps.terminal!(`\n  ${job.letter} ${job.to}: ${link.url}${code}\n\n`);
    return { kind: 'done' };
  }

  private linkOf({ letter, parameters }: MailJob) {
    const name = letter as LetterName;
    return isLinked(name) ? this.deps.links.write(name, String(parameters.link)) : undefined;
  }

  /**
   * What the queue's runner does with a letter. At least once: where the process ends after the mail server has taken a letter
   * and before that is written down, the letter goes again, under the same Message-ID.
   */
  get handler(): JobHandler<MailJob> {
    return {
      schema: MailJob,
      timeoutMs: TRY_TIMEOUT_MS,
      handle: async (job, { jobId }) => (this.isPossible ? this.sendNow(job, jobId) : this.show(job)),
    };
  }
}
