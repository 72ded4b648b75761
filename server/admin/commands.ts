import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { Email, NewPassword, Username } from '../../protocol/requests.ts';
import { UserRole } from '../../protocol/resources.ts';
import { Id } from '../../protocol/schemas.ts';
import type { LinksByHand } from '../account-links/by-hand.ts';
import type { AuthService } from '../auth/service.ts';
import type { FactorsService } from '../factors/service.ts';
import {
  type Command,
  type Options as OptionsOf,
  type Output,
  runCommand,
  UsageError,
} from '../shared/command-line.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Account } from '../users/model.ts';
import type { UsersService } from '../users/service.ts';

export interface AdminDeps extends Output {
  links: LinksByHand;
  users: UsersService;
  auth: AuthService;
  factors: Pick<FactorsService, 'reset'>;
}

const USAGE = `usage: parley admin <command>

  create-user --email <address> [--username <name>] [--password <password>] [--role user|admin]
  set-role <who> user|admin
  reset-password <who> [--password <password>]
  reset-mfa <who>
  deactivate <who>
  reset-link <who>                 a link with which they choose a new password
  verify-link <who>                a link, and a code, that confirm the address that they gave
  release-address <address>        takes an address from whoever has it or asks for it

<who> is an e-mail address, a username or an id. Without --password one is made and printed once.
Changes are heard by a server that runs on the same database within seconds.`;

type Option = 'email' | 'username' | 'password' | 'role';
type Options = OptionsOf<Option>;

const COMMANDS: Record<string, Command<AdminDeps, Option>> = {
  'create-user': { run: createUser, options: ['email', 'username', 'password', 'role'], args: 0 },
  'set-role': { run: setRole, options: [], args: 2 },
  'reset-password': { run: resetPassword, options: ['password'], args: 1 },
  'reset-mfa': { run: resetMfa, options: [], args: 1 },
  deactivate: { run: deactivate, options: [], args: 1 },
  'reset-link': { run: resetLink, options: [], args: 1 },
  'verify-link': { run: verifyLink, options: [], args: 1 },
  'release-address': { run: releaseAddress, options: [], args: 1 },
};

/**
 * Runs `parley admin …`: what an operator does to accounts from the machine itself, whether or not a server is running on
 * the database. Answers the exit code: 0 done, 1 refused, 2 not understood.
 */
export function runAdmin(argv: string[], deps: AdminDeps): Promise<number> {
  const isRefusal = (error: unknown) => error instanceof ParleyError;
  return runCommand(argv, deps, { usage: USAGE, commands: COMMANDS, isRefusal });
}

async function createUser({ auth, print }: AdminDeps, _args: string[], options: Options): Promise<void> {
  if (options.email === undefined) throw new UsageError('--email is missing');
  const email = check('--email', Email, options.email);
  const username = options.username === undefined ? undefined : check('--username', Username, options.username);
  const role = check('--role', UserRole, options.role ?? 'user');
  const { password, isNew } = passwordOf(options);
  const user = await auth.createUser({ email, username, password }, role);
  print(`created ${user.username} (${user.email}), ${user.role}, id ${user.id}`);
  if (isNew) print(`password: ${password}`);
}

async function setRole({ users, print }: AdminDeps, [who, role]: string[]): Promise<void> {
  const wanted = check('the role', UserRole, role);
  const account = await find(users, who!);
  await users.setRole(account.id, wanted);
  print(`${account.username} is ${wanted} now`);
}

async function resetPassword({ users, auth, print }: AdminDeps, [who]: string[], options: Options): Promise<void> {
  const account = await find(users, who!);
  const { password, isNew } = passwordOf(options);
  await auth.resetPassword(account.id, password);
  print(`${account.username} has another password, and is signed out everywhere`);
  if (isNew) print(`password: ${password}`);
}

async function resetMfa({ users, factors, print }: AdminDeps, [who]: string[]): Promise<void> {
  const account = await find(users, who!);
  await factors.reset(account.id);
  print(`${account.username} has no second factor, and is signed out everywhere`);
}

async function deactivate({ users, print }: AdminDeps, [who]: string[]): Promise<void> {
  const account = await find(users, who!);
  await users.deactivate(account.id);
  print(`${account.username} is deactivated, and signed out everywhere`);
}

async function resetLink({ users, links, print }: AdminDeps, [who]: string[]): Promise<void> {
  const account = await find(users, who!);
  const { url } = await links.reset(account);
  print(`${account.username} chooses a new password here, once, within an hour:`);
  print(url);
}

async function verifyLink({ users, links, print }: AdminDeps, [who]: string[]): Promise<void> {
  const account = await find(users, who!);
  const { email, url, code } = await links.verify(account);
  print(`${account.username} confirms ${email} here, once, within 24 hours:`);
  print(url);
  print(`or with the code ${code}, signed in`);
}

async function releaseAddress({ links, print }: AdminDeps, [given]: string[]): Promise<void> {
  const email = check('the address', Email, given);
  const losers = await links.release(email);
  if (losers.length === 0) throw new ParleyError('not_found', `nobody has ${email}`);
  for (const { username } of losers) print(`${username} no longer has ${email}`);
}

/** The account that is meant. No username looks like an id or holds an `@`, so there is nothing to guess. */
async function find(users: UsersService, who: string): Promise<Account> {
  const id = Id.safeParse(who);
  if (id.success) return users.account(id.data);
  const account = await users.accountOf(who.includes('@') ? { email: who } : { username: who });
  if (!account) throw new ParleyError('user_not_found', `there is no user ${who}`);
  return account;
}

function passwordOf(options: Options): { password: string; isNew: boolean } {
  if (options.password !== undefined) {
    return { password: check('--password', NewPassword, options.password), isNew: false };
  }
  // 144 bits (ASVS 11.5.1).
  return { password: randomBytes(18).toString('base64url'), isNew: true };
}

function check<T extends z.ZodType>(name: string, schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (!result.success) throw new UsageError(`${name}: ${result.error.issues[0]?.message}`);
  return result.data;
}
