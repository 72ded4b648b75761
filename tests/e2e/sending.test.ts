import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { burst, numbered } from '../support/burst.ts';
import { type Person, signUpAll } from '../support/people.ts';
import { endServers, onCluster, PARLEY, startServer, type TestServer } from '../support/server.ts';
import { type Call, isSend, Trace, whyNotTraceable } from '../support/trace.ts';
import { canTest } from '../support/untested.ts';

/** Each of 100 messages is so long that a page of them is beyond every buffer on the way, in characters of up to four bytes. */
const WORDS = 'naïve 日本語 \u{1F469}\u200D\u{1F680} '.repeat(100);

const KEYS = ['one-at-a-time', 'and-another', 'and-a-third'];

afterAll(endServers);

/** Alice, in a group whose newest page is half a megabyte. */
async function withLongPage(server: TestServer): Promise<{ alice: Person; path: string }> {
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const group = await alice.group([bob]);
  const socket = await alice.connect();
  await burst(socket, group, numbered(WORDS, 120));
  await socket.close();
  return { alice, path: `/api/v1/conversations/${group}/messages?limit=100` };
}

/** The bytes of an answer to a client of bare HTTP, to the end of the connection. */
function ask({ server, tokens }: Person, version: '1.0' | '1.1', path: string, id = 'long-answer'): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const lines = [`GET ${path} HTTP/${version}`, `Host: ${hostname}`, `Authorization: Bearer ${tokens.access_token}`];
  lines.push(`X-Request-Id: ${id}`, 'Connection: close');
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const tcp = connect({ host: hostname, port: Number(port) }, () => tcp.write(`${lines.join('\r\n')}\r\n\r\n`));
    tcp.on('data', (piece: Buffer) => pieces.push(piece));
    tcp.on('end', () => {
      tcp.end();
      resolve(Buffer.concat(pieces).toString());
    });
    tcp.on('error', reject);
  });
}

describe('an answer longer than a buffer', () => {
  let alice: Person;
  let path: string;

  beforeAll(async () => {
    ({ alice, path } = await withLongPage(await startServer()));
  });

  test('comes whole', async () => {
    const { status, body, headers } = await alice.call('GET', path);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    const last = numbered(WORDS, 120).slice(-100);
    expect(body.messages.map(({ content }: { content: string }) => content)).toEqual(last);
  });

  test('comes whole to a client of HTTP/1.0, which knows no chunks', async () => {
    const [head, body] = (await ask(alice, '1.0', path)).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.[01] 200 /);
    expect(head).not.toMatch(/^transfer-encoding:/im);
    expect(JSON.parse(body!)).toEqual((await alice.call('GET', path)).body);
  });

  test('has no body where only its head is asked for', async () => {
    const headers = { Authorization: `Bearer ${alice.tokens.access_token}` };
    const answer = await fetch(alice.server.url + path, { method: 'HEAD', headers });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('');
  });
});

// One process is traced.
if (!onCluster) {
  const traceable = canTest('what leaves in one call of the system', whyNotTraceable());

  describe.skipIf(!traceable)('in few calls of the system', () => {
    /** What a traced server sent, while `work` was done with it. */
    async function sentDuring(work: (server: TestServer) => Promise<void>): Promise<Call[]> {
      const trace = new Trace();
      const server = await startServer({}, [...trace.prefix, ...PARLEY]);
      await work(server);
      const { pid } = server.nodes[0]!;
      await server.stop();
      return (await trace.calls(pid)).filter(isSend);
    }

    test('leaves an answer of many headers and half a megabyte', async () => {
      let length = 0;
      const sends = await sentDuring(async (server) => {
        const { alice, path } = await withLongPage(server);
        length = (await ask(alice, '1.1', path, 'the-long-one')).length;
        await ask(alice, '1.1', '/api/v1/auth/me', 'the-short-one');
      });
      const answeredBy = (id: string) => {
        const head = sends.find(({ text }) => text.includes('HTTP/1.1 200') && text.includes(id));
        return sends.filter(({ target }) => target === head?.target).map(({ text }) => text);
      };
      const long = answeredBy('the-long-one');
      expect(long[0]).toMatch(/Content-Security-Policy.*Transfer-Encoding/s);
      // As often as the socket has room again, and the last chunk.
      expect(long.length).toBeLessThan(length / 16_384);
      expect(answeredBy('the-short-one').length).toBe(1);
    });

    test('leaves an ack, with the message itself', async () => {
      const sends = await sentDuring(async (server) => {
        const [alice, bob] = await signUpAll(server, 'alice', 'bob');
        const group = await alice.group([bob]);
        const socket = await alice.connect();
        for (const key of KEYS)
          await socket.ask({ event: 'message.send', conversation_id: group, content: key, client_id: key });
        await socket.close();
      });
      for (const key of KEYS) {
        const told = sends.filter(({ text }) => text.includes(key)).map(({ text }) => text);
        expect(told).toEqual([expect.stringMatching(/event[^a-z]*message.*event[^a-z]*ack/s)]);
      }
    });
  });
}
