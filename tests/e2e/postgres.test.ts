import { afterAll, describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { signUpAll } from '../support/people.ts';
import { canTestPostgres, TestPostgres } from '../support/postgres.ts';
import { endServers, runParley, startServer, temporaryFolder } from '../support/server.ts';

afterAll(endServers);

describe.skipIf(!canTestPostgres('what a server does about its PostgreSQL'))('a PostgreSQL', () => {
  test('that would lose messages stops the start, with a line that says how to mend it', async () => {
    const postgres = await TestPostgres.start({ settings: { fsync: 'off' } });
    const start = async () => {
      const settings = { DATA_DIR: temporaryFolder(), DATABASE_URL: await postgres.createDatabase() };
      const { code, stdout, stderr } = await runParley(['serve'], settings);
      return { code, stdout, stderr };
    };
    const refused = (text: RegExp) => ({ code: 2, stdout: '', stderr: expect.stringMatching(text) });
    expect(await start()).toEqual(refused(/^parley: .*fsync off.*set fsync = on.*\n$/));
    postgres.configure({ fsync: 'on', synchronous_commit: 'off' });
    await postgres.restart();
    expect(await start()).toEqual(refused(/^parley: .*synchronous_commit off.*set it to on.*\n$/));
    await postgres.stop();
  }, 60_000);

  test('that is gone makes sends unavailable and leaves sockets open; all goes on when it is back', async () => {
    const postgres = await TestPostgres.start();
    const server = await startServer({ DATABASE_URL: await postgres.createDatabase() });
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const id = await alice.direct(bob);
    const [hers, his] = [await alice.connect(), await bob.connect()];
    await hers.say(id, 'before');
    await his.next('message');

    await postgres.kill('SIGKILL');
    const key = crypto.randomUUID();
    const send = () => alice.call('POST', `/conversations/${id}/messages`, { content: 'meanwhile', client_id: key });
    const refused = await send();
    expect({ status: refused.status, code: refused.body.code }).toEqual({ status: 503, code: 'unavailable' });
    const frame = { event: 'message.send', conversation_id: id, content: 'over the socket', client_id: 'a key' };
    expect(await hers.ask(frame)).toMatchObject({ event: 'error', code: 'unavailable', retryable: true });
    expect((await alice.call('GET', '/conversations')).status).toBe(503);

    await postgres.restart();
    await eventually('it takes messages', async () => (await send()).status < 300);
    hers.send(frame);
    expect(await hers.find((one) => one.event === 'ack' && one.client_id === 'a key')).toMatchObject({ seq: 3 });
    expect(await his.next('message')).toMatchObject({ content: 'meanwhile', seq: 2 });
    expect(await his.next('message')).toMatchObject({ content: 'over the socket', seq: 3 });
    expect((await bob.history(id)).map(({ content }) => content)).toEqual(['before', 'meanwhile', 'over the socket']);
    await server.stop();
    await postgres.stop();
  }, 60_000);
});
