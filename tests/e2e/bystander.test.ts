import { afterAll, expect, test } from 'bun:test';
import { range } from '../support/burst.ts';
import { connections } from '../support/metrics.ts';
import { type Person, request, signUpAll } from '../support/people.ts';
import { handshake, RawPeer } from '../support/raw-peer.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import type { Frame, TestSocket } from '../support/socket.ts';

const MIB = 1024 * 1024;
const NOWHERE = '0199a3f0-8c00-7a00-8000-00000000dead';
const NONSENSE = [
  '',
  '{',
  '[]',
  'null',
  '7',
  '"x"',
  '{"event":"constructor"}',
  '{"event":"__proto__"}',
  '{"content":{}}',
];

afterAll(endServers);

/** Two who chat on, whatever happens beside them: each message is answered by the next, from the other side. */
class Chat {
  readonly acks: Frame[] = [];
  private over = false;
  private readonly talking: Promise<unknown>;

  constructor(
    private readonly conversation: string,
    readonly sockets: [TestSocket, TestSocket],
  ) {
    this.talking = this.talk();
  }

  /** Says goodbye after the message under way. */
  async end(): Promise<void> {
    this.over = true;
    await this.talking;
  }

  private async talk(): Promise<void> {
    for (let turn = 0; !this.over; turn++) {
      const [speaker, listener] = turn % 2 ? this.sockets : this.sockets.toReversed();
      const ack = await speaker!.say(this.conversation, `turn ${turn}`);
      this.acks.push(ack);
      await listener!.next((frame) => frame.id === ack.id);
    }
  }
}

/** Whatever is wrong over HTTP. */
async function hostileRequests(server: TestServer, mallory: Person, theirs: string): Promise<void> {
  const at = `/conversations/${theirs}`;
  const { access_token, refresh_token } = mallory.tokens;
  const bodies = [
    ...NONSENSE,
    '{"content":7}',
    '{"content":"\\ud800"}',
    '{"content":"\\u0000"}',
    `{"content":"${'x'.repeat(5000)}"}`,
  ];
  const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`;
  const tries: Promise<{ status: number }>[] = [
    ...bodies.map((body) => mallory.call('POST', `${at}/messages`, body)),
    ...bodies.map((body) => mallory.call('POST', '/conversations', body)),
    ...bodies.map((body) => request(server, 'POST', '/auth/login', { body })),
    mallory.call('POST', '/conversations', deep),
    mallory.call('POST', '/conversations', { name: 'x', participant_ids: Array(5000).fill(NOWHERE) }),
    mallory.call('POST', `${at}/participants`, { user_ids: [mallory.id] }),
    mallory.call('PATCH', at, { name: 'mine', role: 'admin' }),
    mallory.call('DELETE', `${at}/participants/${mallory.id}`),
    mallory.call('GET', `${at}/messages?limit=1000000`),
    mallory.call('GET', `${at}/messages?cursor=${'A'.repeat(400)}`),
    mallory.call('GET', `/conversations/${'x'.repeat(8000)}`),
    mallory.call('GET', '/conversations/%00'),
    mallory.call('TRACE', at).catch(() => ({ status: 405 })),
    request(server, 'GET', '/conversations', { token: `${access_token}x` }),
    request(server, 'GET', '/conversations', { token: refresh_token }),
    request(server, 'POST', '/conversations', {
      body: { name: 'x' },
      headers: { cookie: `access_token=${access_token}`, origin: 'https://evil.example' },
    }),
  ];
  for (const { status } of await Promise.all(tries)) {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
  }
  const huge = await mallory.call('POST', `${at}/messages`, `{"content":"${'x'.repeat(10 * MIB)}"}`);
  expect(huge.status).toBe(413);
}

/** Whatever is wrong over sockets. */
async function hostileSockets(server: TestServer, mallory: Person, theirs: string): Promise<void> {
  const path = `/ws?token=${mallory.tokens.access_token}`;
  await Promise.all([handshake(server, '/ws'), handshake(server, '/ws?token=x'), handshake(server, `${path}x`)]);

  const nonsense = await mallory.connect();
  for (let count = 0; count < 110; count++) nonsense.send(NONSENSE[count % NONSENSE.length]!);
  expect((await nonsense.closed).code).toBe(4400);

  const binary = await mallory.connectPlain();
  for (let count = 0; count < 110; count++) binary.raw.send(new Uint8Array(1000));
  expect((await binary.closed).code).toBe(4400);

  const large = await mallory.connect();
  large.send('x'.repeat(MIB));
  expect((await large.closed).code).toBe(1009);

  const prying = await mallory.connect();
  expect(await prying.ask({ event: 'message.send', conversation_id: theirs, content: 'hi' })).toMatchObject({
    code: 'conversation_not_found',
  });
  await prying.close();

  const own = await mallory.direct(mallory);
  const flood = await mallory.connect();
  for (let count = 0; count < 5000; count++) flood.send({ conversation_id: own, content: `flood ${count}` });
  expect((await flood.closed).code).toBe(4429);

  // Readers that never read, of a conversation that is written to until they are cut.
  const others = await connections(server);
  const deaf = await Promise.all([
    RawPeer.open(server, path),
    RawPeer.open(server, path, { 'Sec-WebSocket-Protocol': 'parley.v1' }),
  ]);
  const writer = await mallory.connect();
  const content = '😀'.repeat(4000);
  for (let sent = 0; (await connections(server)) > others + 1; sent += 60) {
    expect(sent).toBeLessThan(1500);
    await Promise.all(Array.from({ length: 60 }, () => writer.ask({ conversation_id: own, content })));
  }
  await writer.close();

  const broken = await Promise.all(Array.from({ length: 20 }, () => RawPeer.open(server, path)));
  for (const peer of broken) peer.write(Buffer.from([0xff, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55]));
  for (const peer of [...deaf, ...broken]) peer.destroy();
}

test('two who chat while everything hostile goes on beside them lose nothing, and the server stays small', async () => {
  const server = await startServer();
  const [alice, bob, mallory] = await signUpAll(server, 'alice', 'bob', 'mallory');
  const conversation = await alice.direct(bob);
  const quiet = await alice.connectPlain();
  const chat = new Chat(conversation, [await alice.connect(), await bob.connect()]);

  const hostilities = () =>
    Promise.all([hostileRequests(server, mallory, conversation), hostileSockets(server, mallory, conversation)]);
  await hostilities(); // what a busy server needs at all, before it is weighed
  const before = await server.memory();
  const turns = chat.acks.length;
  for (let round = 0; round < 2; round++) await hostilities();
  await chat.end();
  await quiet.settle();
  expect((await server.memory()) - before).toBeLessThan(64 * MIB * server.nodes.length);

  // Nothing was lost, doubled or out of order, for either of them, a third socket, and the file.
  expect(chat.acks.length).toBeGreaterThan(turns + 20);
  const expected = range(1, chat.acks.length).map((seq) => [seq, `turn ${seq - 1}`]);
  const told = (frames: { seq?: number; content?: string }[]) => frames.map(({ seq, content }) => [seq, content]);
  expect(chat.acks.map(({ seq }) => seq)).toEqual(range(1, chat.acks.length));
  for (const socket of chat.sockets) expect(told(socket.all('message'))).toEqual(expected);
  expect(told(quiet.frames)).toEqual(expected);
  expect(told(await bob.history(conversation))).toEqual(expected);
  // All that either of them ever heard is of this conversation.
  for (const socket of chat.sockets) {
    const kinds = new Set(socket.frames.map(({ event }) => event));
    expect([...kinds].filter((event) => !['ready', 'ack', 'message', 'pong', 'receipts'].includes(event))).toEqual([]);
  }
  expect(server.lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  expect(server.errors).not.toMatch(/error|panic|warn/i);
}, 120_000);
