import type { Core } from '../core.ts';
import { jobsOf } from '../jobs/handlers.ts';
import type { Part } from '../part.ts';
import { MAIL, Mails } from './mails.ts';
import { Smtp } from './smtp.ts';

export interface MailPart extends Part {
  mails: Mails;
}

/** Letters to people. Without `SMTP_URL` there are none, and what needs them says so. */
export function createMail({ config, queue, lifecycle }: Pick<Core, 'config' | 'queue' | 'lifecycle'>): MailPart {
  const smtp = config.mail.url === '' ? undefined : new Smtp(config.mail);
  if (smtp) lifecycle.onStop('close', 'mail', async () => smtp.close());
  const mails = new Mails({ smtp, queue, host: hostOf(config.server.public_url) });
  return { mails, jobs: smtp && jobsOf({ [MAIL]: mails.handler }) };
}

/** Whose server it is, as letters say; `PUBLIC_URL` is there wherever there is mail. */
function hostOf(publicUrl: string): string {
  return publicUrl === '' ? 'localhost' : new URL(publicUrl).hostname;
}
