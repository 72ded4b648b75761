import { Email } from '../../protocol/requests.ts';
import { type Command, type Options, type Output, runCommand, UsageError } from '../shared/command-line.ts';
import { ParleyError } from '../shared/errors.ts';
import { DEFAULT_LANGUAGE, isLanguage } from './letters/index.ts';
import type { Mails } from './mails.ts';

export interface MailDeps extends Output {
  mails: Mails;
}

const USAGE = `usage: parley mail <command>

  test <address> [--language en]    send a letter now, and say what the mail server answered

SMTP_URL, MAIL_FROM and SMTP_TLS in configs/config.yaml say how mail is sent.`;

/** The letter was not taken: the exit code is 1. */
class NotTaken extends Error {}

const COMMANDS: Record<string, Command<MailDeps, 'language'>> = {
  test: { run: test, options: ['language'], args: 1 },
};

/** Runs `parley mail …`. Answers the exit code: 0 taken, 1 refused, 2 not understood. */
export function runMail(argv: string[], deps: MailDeps): Promise<number> {
  const isRefusal = (error: unknown) => error instanceof NotTaken || error instanceof ParleyError;
  return runCommand(argv, deps, { usage: USAGE, commands: COMMANDS, isRefusal });
}

async function test({ mails, print }: MailDeps, [address]: string[], options: Options<'language'>): Promise<void> {
  const to = Email.safeParse(address);
  if (!to.success) throw new UsageError(`${address} is no e-mail address`);
  const { language = DEFAULT_LANGUAGE } = options;
  if (!isLanguage(language)) throw new UsageError(`there are no letters in ${language}`);
  const outcome = await mails.sendNow({ to: to.data, letter: 'test', language, parameters: {} }, Bun.randomUUIDv7());
  if (outcome.kind !== 'done') throw new NotTaken(`the mail server did not take the letter: ${outcome.reason}`);
  print(`the mail server took a letter to ${to.data}`);
}
