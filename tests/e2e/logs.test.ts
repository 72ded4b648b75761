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
  const codes = asked.map(([, , , id]) => line(id)!.code);
  const refusals = ['missing_token', 'invalid_json', 'not_found', 'upgrade_required', 'missing_token'];
  expect(codes).toEqual([undefined, undefined, undefined, ...refusals, undefined]);
  expect(line(asked.at(-1)![3])).toMatchObject({ user_id: person.id, address: '198.51.100.2' });
  for (const { time } of lines) expect(String(time)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test('every log-in, and whatever else is done with a password or a session, has a line of its own', async () => {
  const server = await startServer({ TRUST_PROXY: 'loopback', RATE_LIMITS: 'on', LIMIT_LOGIN_ACCOUNT: '2/1m' });
  const expected: [msg: string, id: string | null, fields: object][] = [];
  let address = '198.51.100.7';
  const ask = async (method: string, path: string, body: unknown, lines: [string, object][], token?: string) => {
    const answer = await request(server, method, path, { body, token, headers: { 'X-Forwarded-For': address } });
    for (const [msg, fields] of lines) expected.push([msg, answer.headers.get('x-request-id'), { ...fields, address }]);
    return answer.body;
  };
  const login = (body: object, ...lines: [string, object][]) => ask('POST', '/auth/login', body, lines);

  const account = { email: 'audited@example.com', password: 'correct horse battery', device_token: '' };
  const made = await ask('POST', '/auth/register', account, [['signed up', {}]]);
  const user_id = made.user.id;
  const code = 'invalid_credentials';
  const refused = (fields: object): [string, object] => ['a log-in was refused', { user_id, ...fields }];
  address = '2001:db8:1:2::7';
  await login({ ...account, password: 'wrong' }, refused({ code, known_device: false }));
  const { device_token } = await login(account, ['signed in', { user_id, known_device: false }]);
  for (let n = 0; n < 2; n++) await login({ ...account, password: 'wrong' }, refused({ code }));
  await login(account, refused({ code: 'rate_limited' }));
  const known = { ...account, device_token };
  const again = await login(known, ['signed in', { user_id, known_device: true }]);

  // The password where the name should be: nobody reads it in the log.
  const typed = ['pa55word-in-the-wrong-field', 'PA55word-in-the-WRONG-field', 'with spaces, my secret'];
  const hash = expect.stringMatching(/^nobody-[\w-]{22}$/);
  for (const username of typed)
    await login({ username, password: 'x' }, ['a log-in was refused', { code, account_hash: hash }]);

  const refresh = (refresh_token: string, ...lines: [string, object][]) =>
    ask('POST', '/auth/refresh', { refresh_token }, lines);
  await refresh('nonsense', ['a refresh was refused', { code: 'invalid_token' }]);
  const next = await refresh(again.tokens.refresh_token);
  await refresh(next.refresh_token);
  await refresh(again.tokens.refresh_token, ['a refresh token was used again: its session is ended', { user_id }]);
  await refresh(next.refresh_token, ['a refresh was refused', { user_id, code: 'invalid_token' }]);

  const token = made.tokens.access_token;
  const wrong = { current_password: 'wrong', new_password: 'battery horse staple' };
  await ask('POST', '/auth/password', wrong, [['a password was refused', { user_id, code }]], token);
  const right = { ...wrong, current_password: account.password };
  await ask('POST', '/auth/password', right, [['the password was changed', { user_id }]], token);
  const last = await login({ ...known, password: right.new_password }, ['signed in', { user_id }]);
  await ask('POST', '/auth/logout', undefined, [['signed out', { user_id }]], last.tokens.access_token);
  await ask('DELETE', '/users/me', { password: right.new_password }, [['the account was deleted', { user_id }]], token);
  await server.stop();

  const lines = server.lines.map((line) => JSON.stringify(line)).join('\n');
  for (const text of [...typed, account.email]) expect(lines.toLowerCase()).not.toContain(text.toLowerCase());
  const hashes = server.lines.flatMap(({ account_hash }) => account_hash ?? []);
  expect([hashes.length, new Set(hashes).size]).toEqual([3, 2]);
  for (const [msg, request_id, fields] of expected) {
    expect(server.lines.filter((line) => line.msg === msg && line.request_id === request_id)).toMatchObject([fields]);
  }
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
  const account = {
    email: 'watched@example.com',
    password: secret('password', 'Pw-8c1f-watched-secret'),
    device_token: '',
  };
  const { body: made } = await ask('POST', '/auth/register', account);
  tokens('first', made.tokens);
  secret('device token', made.device_token.split('.')[1]);
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

test('a refusal is logged with its reason, and with who asked where that is known', async () => {
  const server = await startServer({ RATE_LIMITS: 'on', LIMIT_PROFILE: '1/1h' });
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const group = await bob.group([alice], 'Crew');
  const refused: [string, string | undefined, string | null][] = [];
  const ask = async (code: string, who: typeof alice | undefined, method: string, path: string, body?: unknown) => {
    const answer = await request(server, method, path, { body, token: who?.tokens.access_token });
    expect(answer.body.code).toBe(code);
    refused.push([code, who?.id, answer.headers.get('x-request-id')]);
  };
  await ask('forbidden', alice, 'PATCH', `/conversations/${group}`, { name: 'Taken over' });
  await ask('conversation_not_found', alice, 'GET', `/conversations/${crypto.randomUUID()}`);
  await ask('validation_failed', alice, 'PATCH', '/users/me', { status: 5 });
  await request(server, 'PATCH', '/users/me', { body: { status: 'once' }, token: alice.tokens.access_token });
  await ask('rate_limited', alice, 'PATCH', '/users/me', { status: 'twice' });
  await ask('invalid_token', undefined, 'POST', '/auth/refresh', { refresh_token: 'nonsense' });
  await server.stop();
  for (const [code, user_id, request_id] of refused) {
    const [line, ...others] = requestsOf(server).filter((one) => one.request_id === request_id);
    expect(others).toEqual([]);
    expect(line).toMatchObject({ code, address: expect.any(String), ...(user_id && { user_id }) });
  }
});

test('the text of a client stays inside its field of its line', async () => {
  const server = await startServer();
  const forged = '{"level":60,"msg":"cannot go on"}';
  const paths = [`/%0A${encodeURIComponent(forged)}`, `/%0D%0A%1B%5B31m`, '/%E2%80%A8%C2%85', `/%22%7D%0A${forged}`];
  for (const path of paths) await fetch(server.url + path);
  await server.stop();
  const written = requestsOf(server).map(({ path }) => String(path));
  expect(written).toHaveLength(paths.length);
  // The forged one would be of level 60.
  expect(server.lines.filter(({ level }) => Number(level) > 30)).toEqual([]);
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

test('of a socket, its refusal and its end for abuse have a line each: with its request, its address and its account', async () => {
  const server = await startServer({ TRUST_PROXY: 'loopback', RATE_LIMITS: 'on', LIMIT_HANDSHAKES_ACCOUNT: '2/1m' });
  const [node] = server.nodes;
  const person = await signUp(server);
  const [plain, v1] = await Promise.all(
    ['198.51.100.1', '198.51.100.2'].map((address, index) => {
      const headers = { 'X-Forwarded-For': address };
      const query = `?token=${person.tokens.access_token}`;
      return person.at(node!).open({ headers, query, protocols: index === 0 ? [] : ['parley.v1'] });
    }),
  );
  for (let count = 0; count < 101; count++) plain!.send('nonsense');
  expect((await plain!.closed).code).toBe(4400);
  for (let count = 0; count < 5; count++) {
    v1!.send({ event: 'read', conversation_id: crypto.randomUUID(), seq: 1 });
    v1!.send({ event: 'no.such' });
  }
  await v1!.settle();
  v1!.send('x'.repeat(100_000));
  expect((await v1!.closed).code).toBe(1009);

  const refusals = [];
  for (let count = 0; count < 30; count++) {
    const headers = { 'X-Forwarded-For': `198.51.100.${count + 3}` };
    refusals.push(await handshake(node!, `/ws?token=${person.tokens.access_token}`, headers));
  }
  expect(refusals.map(({ status }) => status)).toEqual(refusals.map(() => 429));
  await server.stop();

  const opened = (address: string) =>
    requestsOf(server).find((line) => line.status === 101 && line.address === address)!.request_id;
  const user_id = person.id;
  const [first, second] = ['198.51.100.1', '198.51.100.2'].map((address) => {
    return { request_id: opened(address), address, user_id };
  });
  const linesOf = (msg: string) => server.lines.filter((line) => line.msg === msg);
  expect(linesOf('a socket was shut out')).toMatchObject([
    { ...first, close_code: 4400 },
    { ...second, close_code: 1006 },
  ]);
  expect(linesOf('a frame was refused')).toMatchObject([
    { ...first, code: 'invalid_json' },
    { ...second, code: 'conversation_not_found' },
    { ...second, code: 'unknown_event' },
  ]);
  // A flood of refusals leaves one line, and how many were like it.
  const request_id = refusals[0]!.headers.get('x-request-id');
  expect(requestsOf(server).filter(({ status }) => status === 429)).toMatchObject([
    { request_id, address: '198.51.100.3', user_id, code: 'rate_limited' },
  ]);
  expect(server.lines.filter(({ left_out }) => left_out !== undefined)).toMatchObject([{ left_out: 29 }]);
});

test('a handshake that is refused for what it says has a line with why', async () => {
  const server = await startServer();
  const answer = await handshake(server, '/ws?token=bad');
  await server.stop();
  const request_id = answer.headers.get('x-request-id');
  expect(requestsOf(server)).toMatchObject([{ request_id, status: 401, code: 'invalid_token', address: '127.0.0.1' }]);
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
