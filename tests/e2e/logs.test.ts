import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { connect } from 'node:net';
import { eventually } from '../support/eventually.ts';
import { request, signUp, signUpAll } from '../support/people.ts';
import { handshake } from '../support/raw-peer.ts';
import { endServers, type LogLine, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

const requestsOf = (server: TestServer): LogLine[] => server.lines.filter(({ msg }) => msg === 'request');

test('every request has one line, with its id, and what a reader of logs looks for', async () => {
  const server = await startServer({ TRUST_PROXY: 'loopback' });
  const person = await signUp(server);
  const token = person.tokens.access_token;
  const asked: [string, string, number, string | null][] = [];
  const ask = async (method: string, path: string, headers: Record<string, string> = {}, body?: string) => {
    const { status, headers: answered } = await fetch(server.url + path, { method, headers, body });
    asked.push([method, path.split('?')[0]!, status, answered.get('x-request-id')]);
  };
  const bearer = { Authorization: `Bearer ${token}`, 'X-Forwarded-For': '198.51.100.1' };
  await ask('GET', '/');
  await ask('GET', '/api/v1/auth/me', bearer);
  await ask('GET', '/api/v1/users?query=somebody', bearer);
  await ask('GET', '/api/v1/auth/me');
  await ask('POST', '/api/v1/auth/login', { 'Content-Type': 'application/json' }, '{');
  await ask('DELETE', '/nope');
  await ask('GET', '/ws');
  const refused = await handshake(server, '/ws');
  asked.push(['GET', '/ws', 401, refused.headers.get('x-request-id')]);
  const opened = await handshake(server, `/ws?token=${token}`, { 'X-Forwarded-For': '198.51.100.2' });
  asked.push(['GET', '/ws', 101, opened.headers.get('x-request-id')]);
  await server.stop();

  const lines = requestsOf(server);
  expect(lines).toHaveLength(asked.length + 1); // and the sign-up
  for (const [method, path, status, request_id] of asked) {
    expect(request_id).toBeString();
    expect(lines.filter((line) => line.request_id === request_id)).toMatchObject([{ method, path, status, level: 30 }]);
  }
  const line = (id: string | null | undefined) => lines.find(({ request_id }) => request_id === id);
  expect(line(asked[1]![3])).toMatchObject({ user_id: person.id, address: '198.51.100.1', ms: expect.any(Number) });
  expect(line(asked[3]![3])).not.toHaveProperty('user_id');
  expect(line(asked.at(-1)![3])).toMatchObject({ user_id: person.id, address: '198.51.100.2' });
  for (const { time } of lines) expect(String(time)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test.each(['info', 'trace'])('no token, password or message is ever logged, at %s', async (LOG_LEVEL) => {
  const server = await startServer({ LOG_LEVEL });
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const secrets = new Map<string, string>();
  const secret = (what: string, value: string) => {
    secrets.set(what, value);
    return value;
  };
  const tokens = (what: string, given: { access_token: string; refresh_token: string }) => {
    for (const kind of ['access_token', 'refresh_token'] as const) {
      const [, payload = '', signature = ''] = secret(`${what} ${kind}`, given[kind]).split('.');
      secret(`${what} ${kind} payload`, payload);
      secret(`${what} ${kind} signature`, signature);
    }
  };
  const ask = (method: string, path: string, body?: unknown, token?: string, headers?: Record<string, string>) =>
    request(server, method, path, { body, token, headers });

  // Signing up and in, rightly and wrongly.
  const account = { email: 'watched@example.com', password: secret('password', 'Pw-8c1f-watched-secret') };
  const { body: made } = await ask('POST', '/auth/register', account);
  tokens('first', made.tokens);
  await ask('POST', '/auth/register', account);
  await ask('POST', '/auth/register', { ...account, email: 5 });
  await ask('POST', '/auth/register', `{"password":"${account.password}"`);
  await ask('POST', '/auth/login', { ...account, password: secret('wrong password', 'Pw-77aa-mistyped-secret') });
  const { body: again } = await ask('POST', '/auth/login', account);
  tokens('second', again.tokens);
  const refreshed = await ask('POST', '/auth/refresh', { refresh_token: again.tokens.refresh_token });
  tokens('third', refreshed.body);
  const token = refreshed.body.access_token;
  await ask('GET', '/auth/me', undefined, token);
  await ask('GET', '/auth/me', undefined, secret('bad token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.bad-signature'));
  await ask('GET', '/auth/me', undefined, undefined, { Cookie: `access_token=${made.tokens.access_token}` });

  // Messages, over REST and over both kinds of socket, also refused ones.
  const { conversation } = (await ask('POST', '/conversations', { participant_id: bob.id }, token)).body;
  const messages = `/conversations/${conversation.id}/messages`;
  await ask('POST', messages, { content: secret('message', 'Tx-19ab whispered over REST') }, token);
  await ask('POST', messages, { content: secret('refused message', `Tx-20cd ${'x'.repeat(5000)}`) }, token);
  await ask('POST', messages, `{"content":"${secret('broken message', 'Tx-21ef in broken JSON')}"`, token);
  await ask('POST', messages, { content: secret('message of nobody', 'Tx-22aa of nobody') });
  await alice.call('POST', messages, { content: secret('message of an outsider', 'Tx-23bb of an outsider') });
  await ask('GET', `/users?query=${secret('search', 'Qx-searched-for')}`, undefined, token);
  await ask('GET', `/auth/me?token=${token}&password=${account.password}`);
  const sockets = [
    `/ws?token=${token}`,
    `/ws?token=${secret('bad query token', 'bad.query.token-91cc')}`,
    `/nope?token=${token}`,
  ];
  for (const path of sockets) await handshake(server, path);
  await handshake(server, '/ws', { 'Sec-WebSocket-Protocol': `parley.v1, parley.token.${token}` });
  const [v1, plain] = await Promise.all([bob.connect(), bob.connectPlain()]);
  await v1.say(conversation.id, secret('socket message', 'Tx-24cc over a socket'));
  plain.send({ conversation_id: conversation.id, content: secret('plain message', 'Tx-25dd over a plain socket') });
  await v1.find((frame) => frame.content === secrets.get('plain message'));
  v1.send(`{"event":"${secret('unknown event', 'Ev-26ee')}","content":"Tx-26ee"}`);
  v1.send(secret('broken frame', 'Tx-27ff is no JSON'));
  await v1.find((frame) => frame.code === 'invalid_json');

  // Ends of sessions.
  tokens('bob', bob.tokens);
  await bob.call('POST', '/auth/logout');
  const changed = { current_password: account.password, new_password: secret('new password', 'Pw-31dd-fresh-secret') };
  await ask('POST', '/auth/password', changed, token);
  await ask('POST', '/auth/refresh', { refresh_token: again.tokens.refresh_token });
  await ask('POST', '/auth/refresh', { refresh_token: made.tokens.refresh_token });
  await ask('DELETE', '/users/me', { password: secrets.get('new password') }, token);
  expect(await server.stop()).toBe(0);

  expect(requestsOf(server).length).toBeGreaterThan(25);
  const lines = server.lines.map((line) => JSON.stringify(line)).join('\n');
  for (const [what, value] of secrets) {
    expect({ what, logged: lines.includes(value) || server.errors.includes(value) }).toEqual({ what, logged: false });
  }
  const telling = /eyJ[\w-]{10,}\.|\$argon2|\$2[aby]\$|"(password|content|authorization|cookie)"/i;
  expect(telling.exec(lines)?.[0]).toBeUndefined();
});

test('a level leaves out what is below it', async () => {
  const server = await startServer({ LOG_LEVEL: 'info' });
  await request(server, 'GET', '/health');
  await server.stop();
  expect(server.lines.map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(['listening', 'request', 'stopping', 'stopped']),
  );
  expect(server.lines.every(({ level }) => Number(level) >= 30)).toBe(true);
});

test('a request that its client broke off, or garbled, is no fault of the server’s, and is logged as none', async () => {
  const server = await startServer();
  const ann = await signUp(server);
  const group = await ann.group([]);
  const bodies: Record<string, [headers: string, body: string]> = {
    'a body with a length': ['Content-Length: 500', '{"content":"half'],
    'a length without a body': ['Content-Length: 500', ''],
    'a body in chunks': ['Transfer-Encoding: chunked', 'a\r\n{"content"\r\n'],
    'half a chunk': ['Transfer-Encoding: chunked', 'ff\r\n{"content"'],
    'a body in chunks that grew too long': ['Transfer-Encoding: chunked', `20000\r\n${'x'.repeat(0x1ffff)}`],
    'a chunk of no size': ['Transfer-Encoding: chunked', '2\r\n{}\r\nzz\r\n'],
    'a chunk of a negative size': ['Transfer-Encoding: chunked', '-2\r\n{}\r\n'],
  };
  const paths = ['POST /api/v1/auth/login', `POST /api/v1/conversations/${group}/messages`, 'PATCH /api/v1/users/me'];
  const endings = ['end', 'destroy', 'resetAndDestroy'] as const;
  const before = requestsOf(server).length;
  let asked = 0;
  for (const [headers, body] of Object.values(bodies)) {
    for (const path of paths) {
      for (const ending of endings) {
        const { hostname, port } = new URL(server.url);
        const tcp = connect({ host: hostname, port: Number(port) });
        tcp.on('error', () => {}); // what the server closed may be reset
        const lines = [`${path} HTTP/1.1`, `Host: ${hostname}`, `Authorization: Bearer ${ann.tokens.access_token}`];
        const head = [...lines, 'Content-Type: application/json', headers].join('\r\n');
        await new Promise<void>((resolve) =>
          tcp.write(Buffer.from(`${head}\r\n\r\n${body}`, 'latin1'), () => resolve()),
        );
        // The server has begun to read before it ends.
        await Bun.sleep(5);
        tcp[ending]();
        asked++;
      }
    }
  }
  // Of a connection that was reset, what came before may have been lost on the way.
  await eventually('most are logged', async () => requestsOf(server).length - before > asked / 2);
  expect((await ann.send(group, 'all is well')).seq).toBe(2);
  expect(await server.stop()).toBe(0);
  expect(server.lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  expect(requestsOf(server).filter(({ status }) => Number(status) >= 500)).toEqual([]);
  expect(server.errors).toBe('');
});
