import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { request, signUp } from '../support/people.ts';
import { handshake } from '../support/raw-peer.ts';
import { endServers, onCluster, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

const SECRET = 'the-secret-that-signs-the-tokens-of-these-tests';
const unavailable = { status: 503, body: { code: 'unavailable' } };

const needed = onCluster ? ['database', 'redis'] : ['database'];

let sockets: TestServer;
let calls: TestServer;

beforeAll(async () => {
  [sockets, calls] = await Promise.all([
    startServer({ ROLES: 'realtime', JWT_SECRET: SECRET }),
    startServer({ ROLES: 'api, worker', JWT_SECRET: SECRET }),
  ]);
});

test('a node without the role api answers for its health and refuses every call, as something to try again', async () => {
  expect((await request(sockets, 'GET', '/health')).body).toMatchObject({ roles: { realtime: needed } });
  expect((await request(sockets, 'GET', '/health/ready')).status).toBe(200);
  expect((await fetch(`${sockets.url}/metrics`)).status).toBe(200);
  for (const [method, path] of [
    ['POST', '/auth/register'],
    ['GET', '/conversations'],
    ['DELETE', '/users/me'],
    ['GET', '/nowhere'],
    ['GET', '/openapi.json'],
  ] as const) {
    expect(await request(sockets, method, path)).toMatchObject(unavailable);
  }
  expect((await fetch(`${sockets.url}/`)).status).toBe(503);
});

test('a node without the role realtime refuses every socket, as something to try again', async () => {
  const alice = await signUp(calls, 'alice');
  for (const path of ['/ws', '/api/v1/ws']) {
    const answers = await Promise.all([
      handshake(calls, path, { Authorization: `Bearer ${alice.tokens.access_token}` }),
      handshake(calls, path),
    ]);
    for (const answer of answers) expect(answer).toMatchObject(unavailable);
  }
  expect((await request(calls, 'GET', '/health')).body.roles).toEqual({ api: needed, worker: needed });
});
