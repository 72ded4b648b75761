#!/usr/bin/env bun
/** A small client for the terminal: `bun terminal/main.ts --help`. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FileStorage } from '../sdk/file.ts';
import { createClient, ParleyError } from '../sdk/index.ts';
import { Chat } from './chat.ts';
import { Terminal } from './terminal.ts';
import { welcome } from './welcome.ts';

const USAGE = `Talk from the terminal.

  --url <address>       the server; PARLEY_URL or http://localhost:8080 when left out
  --user <name>         who to sign in as; asked for when left out
  --password <secret>   better left out: other users of this machine could read it. PARLEY_PASSWORD works too
  --forget              keep nothing on this device
  --help                this text
`;

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: process.env.PARLEY_URL ?? 'http://localhost:8080' },
    user: { type: 'string' },
    password: { type: 'string', default: process.env.PARLEY_PASSWORD },
    forget: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const terminal = new Terminal();
const folder = join(homedir(), '.parley', encodeURIComponent(values.url));
// One file for each user, for one process at a time may use it.
const storage = values.forget || !values.user ? undefined : new FileStorage(join(folder, `${values.user}.journal`));
const client = createClient({ baseUrl: values.url, storage });

try {
  const user = await welcome(client, terminal, values);
  terminal.say(`Hello, ${user.display_name}. /help tells what you can do.`);
  void client.connect();
  await new Chat(client, terminal, user).run();
} catch (error) {
  terminal.say(error instanceof ParleyError ? error.message : String(error));
  process.exitCode = 1;
} finally {
  terminal.close();
  await client.disconnect();
}
