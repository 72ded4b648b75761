import { type ParleyClient, ParleyError } from '../sdk/index.ts';
import type { User } from '../sdk/protocol.ts';
import type { Terminal } from './terminal.ts';

/** Signs somebody in: as who was here last, or by name, password and second factor; who has no account gets one. */
export async function welcome(
  client: ParleyClient,
  terminal: Terminal,
  given: { user?: string; password?: string },
): Promise<User> {
  const known = await client.account.resume();
  if (known) return known;
  if (client.account.challenge.get()) return showFactor(client, terminal);
  const username = given.user ?? (await terminal.next('Username: '))?.trim() ?? '';
  const password = given.password ?? (await terminal.secret('Password: '));
  try {
    return await client.account.login(username.includes('@') ? { email: username, password } : { username, password });
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    if (error.code === 'mfa_required') return showFactor(client, terminal);
    if (error.code !== 'invalid_credentials') throw error;
    terminal.say('There is no such account, or the password is wrong.');
  }
  const email = (await terminal.next('An e-mail address makes a new account (Enter: give up): '))?.trim();
  if (!email) throw new ParleyError('invalid_credentials');
  return client.account.register({ email, username, password });
}

/** Asks for a code until it is right, or the sign-in is over; nothing typed gives up. */
async function showFactor(client: ParleyClient, terminal: Terminal): Promise<User> {
  terminal.say('This account has a second factor.');
  for (;;) {
    const code = (await terminal.next('Code of your authenticator app, or a recovery code: '))?.trim();
    if (!code) throw new ParleyError('mfa_required');
    const method = /^[\d\s]+$/.test(code) ? 'totp' : 'recovery';
    try {
      return await client.account.enterCode({ method, code });
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== 'mfa_failed') throw error;
      terminal.say(error.message);
    }
  }
}
