import { type ParleyClient, ParleyError } from '../sdk/index.ts';
import type { User } from '../sdk/protocol.ts';
import type { Terminal } from './terminal.ts';

/** Signs somebody in: as who was here last, or by name and password; who has no account gets one. */
export async function welcome(
  client: ParleyClient,
  terminal: Terminal,
  given: { user?: string; password?: string },
): Promise<User> {
  const known = await client.account.resume();
  if (known) return known;
  const username = given.user ?? (await terminal.next('Username: '))?.trim() ?? '';
  const password = given.password ?? (await terminal.secret('Password: '));
  try {
    return await client.account.login(username.includes('@') ? { email: username, password } : { username, password });
  } catch (error) {
    if (!(error instanceof ParleyError) || error.code !== 'invalid_credentials') throw error;
    terminal.say('There is no such account, or the password is wrong.');
  }
  const email = (await terminal.next('An e-mail address makes a new account (Enter: give up): '))?.trim();
  if (!email) throw new ParleyError('invalid_credentials');
  return client.account.register({ email, username, password });
}
