import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, ConfigError } from './config.ts';
import { weakness } from './secret-strength.ts';

const FILE = 'jwt-secret';

/** The secret that signs, and the one before it, which still verifies; that is empty where there is none. */
export interface Secrets {
  current: string;
  previous: string;
}

/** `JWT_SECRET` and `JWT_SECRET_PREVIOUS`, of which whatever is signed or sealed has its keys. */
export function loadSecrets(
  auth: Pick<Config['auth'], 'jwt_secret' | 'jwt_secret_previous'>,
  dataDir: string,
): Secrets {
  return { current: loadSecret(auth, dataDir), previous: auth.jwt_secret_previous };
}

/**
 * The secret that signs tokens: `JWT_SECRET`, or else one that is made once and kept in the data folder, readable by its
 * owner only. In memory every start has its own. (In prod the configuration insists on `JWT_SECRET`.)
 */
export function loadSecret(auth: Pick<Config['auth'], 'jwt_secret'>, dataDir: string): string {
  if (auth.jwt_secret !== '') return auth.jwt_secret;
  if (dataDir === ':memory:') return newSecret();
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, FILE);
  return read(path) ?? make(path);
}

function newSecret(): string {
  return randomBytes(48).toString('base64url');
}

function read(path: string): string | undefined {
  try {
    const secret = readFileSync(path, 'utf8').trim();
    if (weakness(secret) !== undefined)
      throw new ConfigError(`${path} holds no secret: delete it, and one is made anew`);
    return secret;
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes the whole file under another name first: of two that start at once, both use the one that was linked first. */
function make(path: string): string {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${newSecret()}\n`);
    fsyncSync(file);
    linkSync(draft, path);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
  } finally {
    closeSync(file);
    unlinkSync(draft);
  }
  return readFileSync(path, 'utf8').trim();
}
