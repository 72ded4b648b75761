import type { Core } from '../core.ts';
import { jobsOf } from '../jobs/handlers.ts';
import type { Part } from '../part.ts';
import type { SealedIds } from '../shared/sealed-ids.ts';
import { LinkAddresses } from './link-addresses.ts';
import { MAIL, Mails } from './mails.ts';
import { Smtp } from './smtp.ts';

export interface MailPart extends Part {
  mails: Mails;
  links: LinkAddresses;
}

/** Letters to people. Without `SMTP_URL` there are none, and what needs them says so. */
export function createMail(
  { config, queue, lifecycle }: Pick<Core, 'config' | 'queue' | 'lifecycle'>,
  { seals }: { seals: SealedIds },
): MailPart {
  const smtp = config.mail.url === '' ? undefined : new Smtp(config.mail);
  if (smtp) lifecycle.onStop('close', 'mail', async () => smtp.close());
  const home = homeOf(config.server);
  const links = new LinkAddresses(seals, home);
  const terminal = !smtp && config.env === 'local' ? (text: string) => void process.stderr.write(text) : undefined;
  const mails = new Mails({ smtp, terminal, links, queue, host: new URL(home).hostname, home });
  return { mails, links, jobs: mails.reachesSomebody ? jobsOf({ [MAIL]: mails.handler }) : undefined };
}

/** Where the web client is; `PUBLIC_URL` is there wherever there is mail. */
function homeOf({ public_url, port }: Core['config']['server']): string {
  return public_url === '' ? `http://localhost:${port}` : public_url.replace(/\/$/, '');
}
