import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { endServers, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(60_000);
afterAll(endServers);

/** The program as it is where its web client was not built. */
const WITHOUT_WEB = [process.execPath, join(import.meta.dir, '../support/without-web.ts')];

const ask = (server: TestServer, path: string, init: RequestInit = {}) =>
  fetch(server.url + path, { redirect: 'manual', keepalive: false, ...init });

/** By it password managers tell whether an address that nobody has is answered as one (W3C, Detecting the reliability of HTTP status codes). */
const NOBODYS = '/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200';

test('password managers are led to the page where one changes the password, and nowhere else', async () => {
  const server = await startServer();
  for (const method of ['GET', 'HEAD']) {
    const answer = await ask(server, '/.well-known/change-password', { method });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/settings/security']);
  }
  expect((await ask(server, '/settings/security')).status).toBe(200);
  // Whatever else is asked in the same breath: it leads to a page of this server.
  for (const path of [
    '/.well-known/change-password?return_to=https://evil.example/',
    '/.well-known/change-password?//evil.example',
  ]) {
    const { status, headers } = await ask(server, path, { headers: { 'X-Forwarded-Host': 'evil.example' } });
    expect([status, headers.get('location')]).toEqual([302, '/settings/security']);
  }
  expect((await ask(server, '/.well-known/change-password', { method: 'POST' })).status).toBe(405);
  for (const path of [NOBODYS, '/.well-known/', '/.well-known/change-password/', '/.well-known/change-password.html']) {
    expect({ path, status: (await ask(server, path)).status }).toEqual({ path, status: 404 });
  }
});

test('where there is no web client there is no such page', async () => {
  const server = await startServer({}, WITHOUT_WEB);
  expect((await ask(server, '/')).headers.get('location')).toBe('/about');
  for (const path of ['/.well-known/change-password', NOBODYS]) expect((await ask(server, path)).status).toBe(404);
});
