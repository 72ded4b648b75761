import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { tokenIn } from '../support/letters.ts';
import { type Mail, Mailbox } from '../support/mailbox.ts';
import { Person, request } from '../support/people.ts';
import { endServers, onCluster, runParley, startServer, type TestServer } from '../support/server.ts';
import { openStored, runStored } from '../support/stored.ts';

setDefaultTimeout(120_000);

const password = 'correct horse battery';
/** Connections to the mail server that one node keeps (server/mail/smtp.ts). */
const CONNECTIONS = 2;

const END_OTHERS = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()`;

let box: Mailbox;
/** It has little patience with its mail server. */
let hasty: TestServer;
/** It has as much as by default. */
let patient: TestServer;
beforeAll(async () => {
  box = await Mailbox.open();
  const quickly = { WORKER_RETRY_BASE: '50ms', WORKER_RETRY_CAP: '100ms' };
  [hasty, patient] = await Promise.all([
    startServer({ ...box.environment(), ...quickly, SMTP_TIMEOUT: '1s' }),
    startServer({ ...box.environment(), ...quickly }),
  ]);
});
afterEach(() => {
  box.answer = () => undefined;
  box.judge = () => undefined;
  box.greet = async () => {};
});
afterAll(async () => {
  await endServers();
  await box.close();
});

let people = 0;

/** Somebody with an address that is known to be theirs, to whom one letter came. */
async function confirmed(server = hasty): Promise<Person & { email: string }> {
  const email = `troubled-${process.pid}-${++people}@example.com`;
  const { body } = await request(server, 'POST', '/auth/register', { body: { email, password } });
  const token = tokenIn(await box.next(email), 'verify');
  expect((await request(server, 'POST', '/auth/email/verify', { body: { token } })).status).toBe(200);
  return Object.assign(new Person(server, body.user, body.tokens, password), { email });
}

async function forgot(email: string, server = hasty): Promise<void> {
  expect((await request(server, 'POST', '/auth/password/forgot', { body: { email } })).status).toBe(202);
}

const reset = async (mail: Mail, server = hasty) => {
  const body = { token: tokenIn(mail, 'reset'), new_password: 'quite another horse' };
  return (await request(server, 'POST', '/auth/password/reset', { body })).status;
};
/** The letters for a new password that came to an address, also those that were not taken. */
const linksTo = (email: string) => box.to(email).filter(({ subject }) => subject === 'Choose a new password');
const mailJobs = (server = hasty) =>
  runStored<{ owner: string | null; parked_at: number | null; reason: string | null; payload: string }>(
    server,
    "select owner, parked_at, reason, payload from jobs where kind = 'mail'",
  );
const noneWaits = (server = hasty) => eventually('no letter waits', async () => (await mailJobs(server)).length === 0);

/** All that an account has of a lost password, beside letters. */
async function written({ id, server }: Person): Promise<{ links: number; audit: number }> {
  const count = async (sql: string) => Number((await runStored<{ count: number }>(server, sql, id))[0]!.count);
  return {
    links: await count("select count(*) as count from account_links where user_id = ? and purpose = 'reset'"),
    audit: await count("select count(*) as count from audit where subject_id = ? and kind = 'password.forgot'"),
  };
}

describe('where the process is killed after the mail server said 250, and before it wrote that down', () => {
  test('the letter comes again with the same Message-ID and the same link, and nothing else is done twice', async () => {
    const server = patient;
    // On one node the last of them goes out only once another was taken and that was heard.
    const crowd = await Promise.all(
      Array.from({ length: CONNECTIONS * server.nodes.length + 1 }, () => confirmed(server)),
    );
    const came = () => crowd.flatMap(({ email }) => linksTo(email));
    const taken: string[] = [];
    const held = Promise.withResolvers<void>();
    box.answer = async (mail) => {
      await held.promise;
      taken.push(mail.messageId!);
      return undefined;
    };
    for (const { email } of crowd) await forgot(email, server);
    await eventually('all are under way, as many as can be', async () => {
      const jobs = await mailJobs(server);
      return jobs.length === crowd.length && jobs.every(({ owner }) => owner !== null) && came().length >= CONNECTIONS;
    });
    const waiting = came().length;

    // Nothing can be written from here on: neither that they were taken, nor anything else.
    const stored = await openStored(server);
    await stored.run(server.databaseUrl ? 'begin' : 'begin immediate');
    if (server.databaseUrl) await stored.run('lock table jobs in exclusive mode');
    held.resolve();
    await eventually(
      '250 was said, and heard',
      async () => taken.length >= waiting && (onCluster || came().length > waiting),
    );
    await server.kill();
    // PostgreSQL would still do what it was asked for: a process that dies before it asks has asked for nothing.
    if (server.databaseUrl) await stored.run(END_OTHERS);
    await stored.run('rollback');
    await stored.close();
    expect((await mailJobs(server)).length).toBe(crowd.length);

    const before = came();
    const [first] = before.filter(({ messageId }) => messageId === taken[0]);
    // On PostgreSQL nobody knows that they died: as if their leases had ended.
    await runStored(server, 'update jobs set lease_until = 0 where lease_until is not null');
    await server.start();
    await noneWaits(server);
    for (const person of crowd) {
      const letters = linksTo(person.email);
      expect(new Set(letters.map(({ messageId }) => messageId)).size).toBe(1);
      expect(new Set(letters.map((mail) => tokenIn(mail, 'reset'))).size).toBe(1);
      const earlier = before.filter(({ recipients }) => recipients.includes(person.email)).length;
      expect(letters.length).toBe(earlier + 1);
      expect(await written(person)).toEqual({ links: 1, audit: 1 });
    }
    const again = box.mails.filter(({ messageId }) => messageId === first!.messageId);
    expect(again.map(alike)).toEqual([alike(first!), alike(first!)]);
    expect(await reset(again[1]!, server)).toBe(200);
    expect(await reset(again[0]!, server)).toBe(410);
  });
});

/** The source of a letter, without when it was sent and what its library draws anew each time. */
function alike({ source }: Mail): string {
  const [, boundary = ''] = /boundary="([^"]+)"/.exec(source) ?? [];
  return source.replaceAll(boundary, 'boundary').replace(/^Date: .*$/m, '');
}

describe('a mail server that', () => {
  test.each([[{ code: 452, text: 'full' }], [{ code: 552, text: 'full' }], [{ code: 421, text: 'going down' }]])(
    'is full is tried again until it has room: %j',
    async (verdict) => {
      const [early, late] = [await confirmed(), await confirmed()];
      let failures = 2;
      box.judge = (address) => (address === early.email && failures-- > 0 ? verdict : undefined);
      await forgot(early.email);
      await eventually('it is taken', async () => linksTo(early.email).length === 1);
      failures = 2;
      box.answer = (mail) => (mail.recipients.includes(late.email) && failures-- > 0 ? verdict : undefined);
      await forgot(late.email);
      await eventually('it is taken', async () => linksTo(late.email).length === 3);
      await noneWaits();
      expect(new Set(linksTo(late.email).map(({ messageId }) => messageId)).size).toBe(1);
      expect(await reset(linksTo(early.email)[0]!)).toBe(200);
    },
  );

  test('refuses a letter for good has it parked with the reason, without the address, and is not asked again', async () => {
    const person = await confirmed();
    let asked = 0;
    box.judge = (address) => {
      if (address !== person.email) return undefined;
      asked++;
      return { code: 550, text: `nobody of the name ${address}` };
    };
    await forgot(person.email);
    const [job] = await eventually('it is parked', async () => {
      const jobs = await mailJobs();
      return jobs[0]?.parked_at != null && jobs;
    });
    expect([asked, job!.reason]).toEqual([1, 'EENVELOPE 550 RCPT TO']);
    expect(JSON.stringify(hasty.lines)).not.toContain(person.email);
    const discarded = await runParley(['jobs', 'discard', 'all'], { DATA_DIR: hasty.dataDir });
    expect(discarded.stdout).toBe('1 discarded\n');
  });

  test('takes a letter and dies gets it once, and the next one over a new connection', async () => {
    const [one, other] = [await confirmed(), await confirmed()];
    box.answer = () => 'take and die';
    await forgot(one.email);
    await eventually('it is taken', async () => linksTo(one.email).length === 1);
    await noneWaits();
    await forgot(other.email);
    await eventually('it is taken', async () => linksTo(other.email).length === 1);
    await noneWaits();
    expect([linksTo(one.email).length, linksTo(other.email).length]).toEqual([1, 1]);
  });

  test('is too slow to answer is given up after a while and tried again with the same letter', async () => {
    const person = await confirmed();
    const again = Promise.withResolvers<void>();
    // Until SMTP_TIMEOUT is over, and the letter is here once more.
    box.answer = async () => {
      if (linksTo(person.email).length === 1) await again.promise;
      else again.resolve();
      return undefined;
    };
    await forgot(person.email);
    await eventually('it is tried again', async () => linksTo(person.email).length === 2);
    await noneWaits();
    const [first, second] = linksTo(person.email);
    expect(second!.messageId).toBe(first!.messageId);
    expect(await reset(second!)).toBe(200);
  });

  test('takes connections and says nothing holds nobody up, and is tried again', async () => {
    const person = await confirmed();
    const silence = Promise.withResolvers<void>();
    box.greet = () => silence.promise;
    // Connections that are kept from before would do: they are gone after this.
    box.answer = () => 'hang up';
    await forgot(person.email);
    await eventually('a try failed', async () =>
      (await mailJobs()).some(({ reason }) => /ETIMEDOUT|Greeting/i.test(reason ?? '')),
    );
    const body = { email: person.email, password };
    expect((await request(hasty, 'POST', '/auth/login', { body })).status).toBe(200);
    box.answer = () => undefined;
    silence.resolve();
    await noneWaits();
    expect(await reset(linksTo(person.email).at(-1)!)).toBe(200);
  });
});
