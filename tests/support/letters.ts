import type { Mail } from './mailbox.ts';

/** The token of the link in a letter that leads to a page of the web client. */
export function tokenIn(mail: Mail, page: 'verify' | 'reset'): string {
  const [, token] = new RegExp(`/${page}#([A-Za-z0-9_-]{43})$`, 'm').exec(mail.text ?? '') ?? [];
  if (token === undefined) throw new Error(`no link to ${page} in: ${mail.text}`);
  return token;
}

/** The six digits in a letter. */
export function codeIn(mail: Mail): string {
  const [, code] = /^(\d{6})$/m.exec(mail.text ?? '') ?? [];
  if (code === undefined) throw new Error(`no code in: ${mail.text}`);
  return code;
}
