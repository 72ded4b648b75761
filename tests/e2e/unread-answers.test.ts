import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { UNREAD_MS } from '../../protocol/limits.ts';
import { burst, range } from '../support/burst.ts';
import { eventually } from '../support/eventually.ts';
import { metric } from '../support/metrics.ts';
import { type Person, request, signUp, signUpAll } from '../support/people.ts';
import { handshake, RawPeer } from '../support/raw-peer.ts';
import { endServers, onCluster, startServer, type TestServer } from '../support/server.ts';

setDefaultTimeout(120_000);
afterAll(endServers);

const MIB = 1024 * 1024;
const LONGEST = '𝕄'.repeat(3990);

/** A conversation whose every page is as long as an answer may be. */
async function withLongPages(server: TestServer, name: string): Promise<{ reader: Person; path: string }> {
  const [reader, other] = await signUpAll(server, name, 'other');
  const group = await reader.group([other]);
  const socket = await reader.connect();
  await burst(
    socket,
    group,
    range(1, 100).map((n) => `${n} ${LONGEST}`),
  );
  await socket.close();
  return { reader, path: `/api/v1/conversations/${group}/changes?since=0&limit=1000` };
}

/** A connection that asks, and reads nothing until it is told to. */
class Unreader {
  private readonly tcp: Socket;
  isClosed = false;

  constructor(
    private readonly reader: Person,
    private readonly path: string,
  ) {
    const { hostname, port } = new URL(reader.server.nodes[0]!.url);
    this.tcp = connect({ host: hostname, port: Number(port) });
    this.tcp.on('error', () => {}); // cut
    this.tcp.on('close', () => {
      this.isClosed = true;
    });
    this.tcp.pause();
  }

  ask(): void {
    const { access_token } = this.reader.tokens;
    this.tcp.write(
      `GET ${this.path} HTTP/1.1\r\nHost: parley.example\r\nAuthorization: Bearer ${access_token}\r\n\r\n`,
    );
  }

  read(): void {
    this.tcp.on('data', () => {});
    this.tcp.resume();
  }

  destroy(): void {
    this.tcp.destroy();
  }
}

// What one process holds.
if (!onCluster) {
  describe('answers that nobody reads', () => {
    let server: TestServer;
    let reader: Person;
    let path: string;

    beforeAll(async () => {
      server = await startServer();
      ({ reader, path } = await withLongPages(server, 'reader'));
    });

    const underWay = () => metric(server, 'parley_answers_under_way');

    /** Asks on one connection until the system has taken all that it takes, and one answer waits to be read. */
    async function stuck(before: number): Promise<Unreader> {
      const unreader = new Unreader(reader, path);
      // Before the first one there is no such line.
      const answered = () => metric(server, `parley_http_request_seconds_count{${CHANGES}}`).catch(() => 0);
      for (let asked = 1; asked <= 20; asked++) {
        const count = await answered();
        unreader.ask();
        await eventually('the request is answered', async () => (await answered()) > count);
        // One that is not stuck is gone in a moment.
        for (let look = 0; look < 5; look++) if ((await underWay()) <= before) break;
        if ((await underWay()) > before) return unreader;
      }
      throw new Error('the system took twenty answers that nobody read');
    }
    const CHANGES = 'method="GET",route="/api/v1/conversations/:id/changes",status="200"';

    test('are two of an account at once, and a third waits until one of them is read', async () => {
      const [one, other] = [await stuck(0), await stuck(1)];
      let isRead = false;
      const third = fetch(`${server.nodes[0]!.url}${path}`, {
        // Compressed, it would be short.
        headers: { authorization: `Bearer ${reader.tokens.access_token}`, 'accept-encoding': 'identity' },
      }).then(async (answer) => {
        await answer.text();
        return { status: answer.status, waited: isRead };
      });
      // What is short, and what others read, waits for nothing.
      expect((await reader.call('GET', '/auth/me')).status).toBe(200);
      const bystander = await signUp(server);
      expect((await bystander.call('GET', '/conversations')).status).toBe(200);
      isRead = true;
      one.read();
      expect(await third).toEqual({ status: 200, waited: true });
      other.destroy();
      one.destroy();
      await eventually('nothing is under way', async () => (await underWay()) === 0);
    });

    test(`are cut after ${UNREAD_MS / 1000} s, and not before`, async () => {
      const cutBefore = await metric(server, 'parley_cut_answers_total');
      const unreader = await stuck(0);
      const since = Date.now();
      while ((await metric(server, 'parley_cut_answers_total')) === cutBefore) {
        expect(Date.now() - since).toBeLessThan(UNREAD_MS + 5000);
        await Bun.sleep(100);
      }
      expect(Date.now() - since).toBeGreaterThan(UNREAD_MS - 3000);
      expect(await underWay()).toBe(0);
      unreader.read();
      await eventually('the connection is gone', async () => unreader.isClosed);
      expect((await reader.call('GET', path)).status).toBe(200);
    });

    test('cost the server little memory, however many are asked for, and nobody else an answer', async () => {
      const [alice, bob] = await signUpAll(server, 'alice', 'bob');
      const conversation = await alice.direct(bob);
      const [hers, his] = await Promise.all([alice.connect(), bob.connect()]);
      const before = await server.memory();
      const attackers = range(1, 300).map(() => new Unreader(reader, path));
      let most = 0;
      const end = Date.now() + 5000;
      for (let turn = 0; Date.now() < end; turn++) {
        for (const attacker of attackers.slice(0, 100)) attacker.ask();
        attackers.push(...attackers.splice(0, 100));
        await hers.say(conversation, `turn ${turn}`);
        await his.next('message');
        most = Math.max(most, await server.memory());
      }
      for (const attacker of attackers) attacker.destroy();
      // What the collector frees late is in it, on a machine that does other things meanwhile.
      expect((most - before) / MIB).toBeLessThan(400);
      // What the attackers asked for waited in line, and goes once the server has heard that they are gone.
      await eventually('the account is answered again', async () => (await reader.call('GET', path)).status === 200);
      await Promise.all([hers.close(), his.close()]);
    });
  });

  test('lists are read fifty times a second by an account, and no oftener', async () => {
    const server = await startServer({ RATE_LIMITS: 'on' });
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const group = await alice.group([bob]);
    const paths = [
      '/conversations',
      `/conversations/${group}`,
      `/conversations/${group}/messages`,
      `/conversations/${group}/changes?since=0`,
      `/conversations/${group}/participants`,
      '/sync',
      '/users',
    ];
    const started = Date.now();
    const answers = await Promise.all(range(1, 140).map((n) => alice.call('GET', paths[n % paths.length]!)));
    const seconds = 1 + Math.ceil((Date.now() - started) / 1000);
    const taken = answers.filter(({ status }) => status === 200);
    expect(taken.length).toBeWithin(50, 50 * seconds + 1);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(refused.body.code).toBe('rate_limited');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await bob.call('GET', '/conversations')).status).toBe(200);
    const sync = await bob.call('POST', '/sync', { conversations: [] });
    expect(sync.status).toBe(200);
  });

  test('an address has so many connections, sockets and requests together, and others have theirs', async () => {
    const server = await startServer({
      RATE_LIMITS: 'on',
      CONNECTIONS_PER_ADDRESS: '3',
      TRUST_PROXY: 'loopback',
      LIMIT_REGISTER: '100/1m',
    });
    const { tokens } = await signUp(server);
    const path = `/ws?token=${tokens.access_token}`;
    const from = (address: string) => ({ 'X-Forwarded-For': address });
    const open = await Promise.all([1, 2, 3].map(() => RawPeer.open(server, path, from('198.51.100.1'))));
    for (const { answer } of open) expect(answer.status).toBe(101);
    const refused = await handshake(server, path, from('198.51.100.1'));
    expect([refused.status, refused.body.code]).toEqual([429, 'rate_limited']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const call = (address: string) => request(server, 'GET', '/health', { headers: from(address) });
    expect((await call('198.51.100.1')).status).toBe(429);
    expect((await call('198.51.100.2')).status).toBe(200);
    // All of a home's IPv6 addresses are one.
    const home = await Promise.all([1, 2, 3].map((n) => RawPeer.open(server, path, from(`2001:db8:0:1::${n}`))));
    expect((await call('2001:db8:0:1::ffff')).status).toBe(429);
    expect((await call('2001:db8:0:2::1')).status).toBe(200);
    open[0]!.destroy();
    await eventually('its place is free', async () => (await call('198.51.100.1')).status === 200);
    for (const peer of [...open, ...home]) peer.destroy();
  });
}
