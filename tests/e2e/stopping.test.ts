import { afterAll, describe, expect, test } from 'bun:test';
import { connect } from 'node:net';
import { eventually } from '../support/eventually.ts';
import { type Person, request, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import type { Frame, TestSocket } from '../support/socket.ts';

afterAll(endServers);

/** Keeps a window of messages in flight, for as long as the socket is open; returns what was acknowledged. */
async function talk(socket: TestSocket, conversation_id: string, name: string): Promise<Frame[]> {
  const WINDOW = 50;
  let sent = 0;
  const sendOne = () =>
    socket.send({ event: 'message.send', conversation_id, content: `${name} ${++sent}`, client_id: `${name} ${sent}` });
  socket.raw.addEventListener('message', ({ data }) => {
    if (String(data).startsWith('{"event":"ack"')) sendOne();
  });
  for (let count = 0; count < WINDOW; count++) sendOne();
  await socket.closed;
  return socket.all('ack');
}

describe('a server under load', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`stops on ${signal} within 10 s: sockets are told and closed with 1012, and nothing acknowledged is lost`, async () => {
      const server = (await startServer()).nodes[0]!;
      const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
      const groups = [await alice.group([bob, carol]), await bob.group([alice]), await carol.direct(bob)];
      const sockets = await Promise.all([
        alice.connect(),
        bob.connect(),
        carol.connect(),
        carol.connect(),
        bob.connectPlain(),
      ]);
      const [hers, his, carols, , plain] = sockets as [TestSocket, TestSocket, TestSocket, TestSocket, TestSocket];
      const talking = [
        talk(hers, groups[0]!, 'alice'),
        talk(his, groups[1]!, 'bob'),
        talk(carols, groups[2]!, 'carol'),
      ];
      const posted: string[] = [];
      const posting = postUntilRefused(alice, groups[0]!, posted);
      await eventually(
        'all of them talk',
        async () => [hers, his, carols].every((socket) => socket.all('ack').length > 200) && posted.length > 5,
      );

      const started = performance.now();
      expect(await server.stop(signal)).toBe(0);
      expect(performance.now() - started).toBeLessThan(10_000);
      const acks = (await Promise.all(talking)).flat();
      await posting;
      for (const socket of sockets) {
        expect((await socket.closed).code).toBe(1012);
        const told = socket.all('draining');
        if (socket === plain) expect(plain.frames.every(({ event }) => event === undefined)).toBe(true);
        else {
          expect(told).toHaveLength(1);
          expect(told[0]!.retry_in_ms).toBeGreaterThan(0);
        }
      }
      expect(server.lines.at(-1)).toMatchObject({ msg: 'stopped' });
      expect(server.errors).not.toMatch(/error|panic|warn/i);

      await server.start();
      const stored = (
        await Promise.all(groups.map((group, index) => [alice, bob, carol][index]!.history(group)))
      ).flat();
      const byId = new Map(stored.map((message) => [message.id, message]));
      expect(acks.length).toBeGreaterThan(600);
      for (const ack of acks) {
        expect(byId.get(ack.id)).toMatchObject({ seq: ack.seq, rev: ack.rev, client_id: ack.client_id });
      }
      for (const id of posted) expect(byId.has(id)).toBe(true);
      // Nor is anything stored of which its sender was not told.
      const said = stored.filter(({ type, content }) => type === 'text' && content !== 'over REST');
      expect(said.map(({ id }) => id).sort()).toEqual(acks.map(({ id }) => id).sort());
      await alice.send(groups[0]!, 'going on');
    }, 60_000);
  }
});

describe('a server that is about to go', () => {
  test('finishes what is under way, takes no new work, and says so to whom it concerns', async () => {
    const server = (await startServer()).nodes[0]!;
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const conversation = await alice.direct(bob);
    const [hers, his] = await Promise.all([alice.connect(), bob.connect()]);
    const plain = await alice.connectPlain();
    const slow = await SlowRequest.begin(alice, conversation, 'under way');
    expect((await request(server, 'GET', '/health/ready')).status).toBe(200);

    const stopped = server.stop();
    await hers.next('draining');
    const ready = await request(server, 'GET', '/health/ready');
    expect(ready).toMatchObject({ status: 503, body: { code: 'unavailable', status: 'draining' } });
    expect((await request(server, 'GET', '/health')).status).toBe(200);

    const refusal = { code: 'unavailable', retryable: true };
    expect(await hers.ask({ event: 'message.send', conversation_id: conversation, content: 'late' })).toMatchObject(
      refusal,
    );
    plain.send({ conversation_id: conversation, content: 'late' });
    expect(await plain.next(() => true)).toMatchObject({ error: true, code: 'unavailable' });
    await expect(alice.connect()).rejects.toThrow();
    const posted = await alice.call('POST', `/conversations/${conversation}/messages`, { content: 'late' });
    expect(posted).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    await hers.settle();

    expect(await slow.finish()).toBe(201);
    expect(await his.find('message')).toMatchObject({ content: 'under way' });
    expect(await stopped).toBe(0);
    for (const socket of [hers, his, plain]) expect((await socket.closed).code).toBe(1012);

    await server.start();
    expect((await bob.history(conversation)).map(({ content }) => content)).toEqual(['under way']);
  }, 60_000);

  test('does not wait for ever for a request that never ends', async () => {
    const server = (await startServer({ SHUTDOWN_TIMEOUT: '2s' })).nodes[0]!;
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const slow = await SlowRequest.begin(alice, await alice.direct(bob), 'never finished');
    const started = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - started).toBeLessThan(3000);
    slow.destroy();
  }, 60_000);
});

/** Sends over REST until the server takes no more, and notes the ids of what it answered with 201. */
async function postUntilRefused(person: Person, conversation: string, posted: string[]): Promise<void> {
  for (;;) {
    const answer = await person
      .call('POST', `/conversations/${conversation}/messages`, { content: 'over REST' })
      .catch(() => undefined);
    if (answer?.status !== 201) return;
    posted.push(answer.body.id);
  }
}

/** A request whose body comes in two parts, so that it is under way for as long as a test likes. */
class SlowRequest {
  private constructor(
    private readonly tcp: ReturnType<typeof connect>,
    private readonly rest: string,
  ) {
    tcp.on('error', () => {});
  }

  static async begin(
    { server, tokens }: { server: TestServer; tokens: Person['tokens'] },
    conversation: string,
    content: string,
  ) {
    const { hostname, port } = new URL(server.url);
    const body = JSON.stringify({ content });
    const tcp = connect({ host: hostname, port: Number(port) });
    tcp.write(
      [
        `POST /api/v1/conversations/${conversation}/messages HTTP/1.1`,
        `Host: ${hostname}:${port}`,
        `Authorization: Bearer ${tokens.access_token}`,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        '',
        body.slice(0, 5),
      ].join('\r\n'),
    );
    // Answered in its turn, so that the request above is under way by then.
    await request(server, 'GET', '/health');
    await request(server, 'GET', '/health');
    return new SlowRequest(tcp, body.slice(5));
  }

  /** Sends the rest and returns the status of the answer. */
  finish(): Promise<number> {
    const answer = new Promise<number>((resolve) =>
      this.tcp.once('data', (chunk) => resolve(Number(String(chunk).split(' ')[1]))),
    );
    this.tcp.write(this.rest);
    return answer;
  }

  destroy(): void {
    this.tcp.destroy();
  }
}
