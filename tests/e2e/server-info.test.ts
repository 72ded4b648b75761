import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { Mailbox } from '../support/mailbox.ts';
import { request } from '../support/people.ts';
import { endServers, startServer } from '../support/server.ts';

setDefaultTimeout(60_000);

/** What everybody is told of an installation with these settings, who shows no session. */
async function told(env: Record<string, string>) {
  const { status, body, headers } = await request(await startServer(env), 'GET', '/server');
  expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
  return body;
}

describe('an installation', () => {
  let box: Mailbox;

  beforeAll(async () => {
    box = await Mailbox.open();
  });
  afterAll(async () => {
    await endServers();
    await box.close();
  });

  test('says whose it is, and what it asks of accounts', async () => {
    const strict = { REQUIRE_VERIFIED_EMAIL: 'true', PASSWORD_STRENGTH: 'refuse' };
    expect(await told({ ...box.environment('https://chat.example.com:8443/'), ...strict })).toEqual({
      name: 'chat.example.com:8443',
      mail: 'sent',
      verified_email_required: true,
      password: { min_length: 8, max_length: 128, strength: 'refuse' },
    });
  });

  test('without mail says so, and whether its links are printed where somebody started it by hand', async () => {
    const plain = {
      verified_email_required: false,
      password: { min_length: 8, max_length: 128, strength: 'warn' },
    };
    expect(await told({ ENV: 'dev' })).toEqual({ mail: 'none', ...plain });
    expect(await told({ ENV: 'local' })).toEqual({ mail: 'printed', ...plain });
  });
});
