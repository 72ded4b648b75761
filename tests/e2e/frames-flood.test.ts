import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import {
  FRAME_BURST_BYTES,
  FRAME_BYTES_A_SECOND,
  MAX_FRAME_BYTES,
  MAX_UNANSWERED_SENDS,
  MAX_WAITING_BYTES,
  MIN_FRAME_BYTES,
  SMALL_FRAME_BYTES,
} from '../../protocol/limits.ts';
import { burst, numbered, range } from '../support/burst.ts';
import { type Person, signUp, signUpAll } from '../support/people.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import type { TestSocket } from '../support/socket.ts';

setDefaultTimeout(60_000);

const MIB = 1024 * 1024;
const WIDE = '100000/1m';
/** How long nearly every message of bystanders may take, on a busy machine too, in milliseconds. */
const PATIENCE_MS = 4000;

let server: TestServer;

beforeAll(async () => {
  server = await startServer({
    RATE_LIMITS: 'on',
    LIMIT_REGISTER: WIDE,
    LIMIT_MESSAGES: WIDE,
    LIMIT_HANDSHAKES: WIDE,
    LIMIT_CONVERSATIONS: WIDE,
  });
});
afterAll(endServers);

/** What a frame begins with, filled up to the largest that there may be. */
const filled = (head: string, part: string, tail = '') =>
  head + part.repeat(Math.floor((MAX_FRAME_BYTES - head.length - tail.length) / part.length)) + tail;
const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);

/** One WebSocket ping, or a binary frame of nothing; the mask is zero. */
const controlFrame = Buffer.from([0x89, 0x80, 0, 0, 0, 0]);
const binaryFrame = Buffer.from([0x82, 0x80, 0, 0, 0, 0]);

describe('two who chat hear each other in time while a socket is flooded', () => {
  const nowhere = crypto.randomUUID();
  const floods: [name: string, write: (peer: RawPeer) => void][] = [
    ['nested arrays of a ping', (peer) => peer.sendAll(times(16, filled('{"event":"ping","x":', '[')))],
    ['nested arrays of a message', (peer) => peer.sendAll(times(16, filled('{"event":"message.send","x":', '[')))],
    ['nested arrays of no event', (peer) => peer.sendAll(times(16, filled('{"x":', '[')))],
    ['nested objects', (peer) => peer.sendAll(times(16, filled('{"x":', '{"a":')))],
    ['a ping that says so last', (peer) => peer.sendAll(times(16, filled('{"x":[', '[],', '0],"event":"ping"}')))],
    ['very many keys', (peer) => peer.sendAll(times(16, filled('{', '"k":1,', '"event":"ping"}')))],
    [
      'watchers of nobody',
      (peer) => peer.sendAll(times(16, filled('{"event":"presence.watch","user_ids":[', '1,', '1]}'))),
    ],
    ['white space', (peer) => peer.sendAll(times(16, filled('', ' ')))],
    ['pings', (peer) => peer.sendAll(times(20_000, '{"event":"ping"}'))],
    ['nonsense', (peer) => peer.sendAll(times(20_000, '{}'))],
    ['pings of the WebSocket itself', (peer) => peer.write(Buffer.concat(times(20_000, controlFrame)))],
    ['binary frames', (peer) => peer.write(Buffer.concat(times(20_000, binaryFrame)))],
    [
      'marks of a conversation that is none',
      (peer) => peer.sendAll(times(5000, JSON.stringify({ event: 'read', conversation_id: nowhere, seq: 1 }))),
    ],
    [
      'somebody who types there',
      (peer) => peer.sendAll(times(5000, JSON.stringify({ event: 'typing', conversation_id: nowhere, active: true }))),
    ],
  ];

  let conversation: string;
  let pair: [TestSocket, TestSocket];

  beforeAll(async () => {
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    conversation = await alice.direct(bob);
    const [node] = server.nodes;
    pair = [await alice.at(node!).connect(), await bob.at(node!).connect()];
  });

  /** Five sockets at once, each again as soon as it is shut out, for as long as `isOver` says no. */
  async function flood(mallory: Person, write: (peer: RawPeer) => void, isOver: () => boolean): Promise<void> {
    const [node] = server.nodes;
    const protocol = { 'Sec-WebSocket-Protocol': 'parley.v1' };
    const one = async () => {
      while (!isOver()) {
        const peer = await RawPeer.open(node!, `/ws?token=${mallory.tokens.access_token}`, protocol);
        const gone = peer.drain().then(() => true);
        let isGone = peer.answer.status !== 101;
        while (!isOver() && !isGone) {
          write(peer);
          isGone = await Promise.race([gone, Bun.sleep(20).then(() => false)]);
        }
        peer.destroy();
      }
    };
    await Promise.all(range(1, 5).map(one));
  }

  test.each(floods)('with %s', async (_, write) => {
    const mallory = await signUp(server, 'mallory');
    let isOver = false;
    const flooding = flood(mallory, write, () => isOver);
    const late: number[] = [];
    const memory = await server.memory();
    const end = performance.now() + 1200;
    while (performance.now() < end || late.length < 5) {
      const said = performance.now();
      const ack = await pair[0].say(conversation, 'how are you?');
      await pair[1].next((frame) => frame.id === ack.id);
      late.push(performance.now() - said);
    }
    isOver = true;
    await flooding;
    late.sort((one, other) => one - other);
    expect(late[Math.floor(late.length * 0.95)]).toBeLessThan(PATIENCE_MS);
    expect((await server.memory()) - memory).toBeLessThan(96 * MIB * server.nodes.length);
  });
});

describe('the bytes of an account’s frames on a node', () => {
  const most = FRAME_BURST_BYTES + MAX_WAITING_BYTES;
  let alice: Person;
  let conversation: string;

  beforeEach(async () => {
    alice = (await signUp(server, 'alice')).at(server.nodes[0]!);
    conversation = await alice.direct(alice);
  });

  /** Sends messages as large as can be, each the same one again; returns how many. */
  function sendLargest(socket: TestSocket, bytes: number): number {
    const frame = { event: 'message.send', conversation_id: conversation, content: 'x', client_id: 'k' };
    const text = JSON.stringify(frame).padEnd(MAX_FRAME_BYTES);
    const count = bytes / MAX_FRAME_BYTES;
    for (let sent = 0; sent < count; sent++) socket.send(text);
    return count;
  }

  test('are enough for all that may be unanswered at once, as long as can be', async () => {
    const socket = await alice.connect();
    const contents = times(MAX_UNANSWERED_SENDS, '😀'.repeat(4000));
    const began = performance.now();
    const acks = await burst(socket, conversation, contents);
    expect(acks.map(({ seq }) => seq)).toEqual(range(1, contents.length));
    expect(performance.now() - began).toBeLessThan(5000);
    await socket.close();
  });

  test('wait where there are more of them, in order, and are not refused', async () => {
    const socket = await alice.connect();
    const began = performance.now();
    const count = sendLargest(socket, 1.5 * MIB);
    for (const content of numbered('behind', 3)) {
      socket.send({ conversation_id: conversation, content, client_id: content });
    }
    await socket.find((frame) => frame.event === 'ack' && frame.client_id === 'behind 3');
    const fastest = ((1.5 * MIB - FRAME_BURST_BYTES) / FRAME_BYTES_A_SECOND) * 1000;
    expect(performance.now() - began).toBeGreaterThan(fastest * 0.9);
    const order = socket.all('ack').map(({ client_id }) => client_id);
    expect(order).toEqual([...times(count, 'k'), ...numbered('behind', 3)]);
    await socket.close();
  });

  test('close the socket that goes on all the same with 4429, and not the others of its account', async () => {
    const greedy = await alice.connect();
    const modest = await alice.connectPlain();
    sendLargest(greedy, most + MIB);
    expect((await greedy.closed).code).toBe(4429);
    await modest.settle();
    const bob = await signUp(server, 'bob');
    const his = await bob.at(server.nodes[0]!).connect();
    await his.settle();
    await modest.close();
    await his.close();
  });

  test('are counted over all of its sockets, and over those that it opens anew', async () => {
    const sockets = await Promise.all(range(1, 6).map(() => alice.connect()));
    for (const socket of sockets) sendLargest(socket, MIB);
    const { code } = await Promise.race(sockets.map((socket) => socket.closed));
    expect(code).toBe(4429);
    // Which had sent nothing itself, and waits with the others.
    const next = await alice.connect();
    const bob = await signUp(server, 'bob');
    const his = await bob.at(server.nodes[0]!).connect();
    next.send({ event: 'ping' });
    for (let round = 0; round < 20; round++) await his.settle();
    expect(next.all('pong')).toEqual([]);
    await Promise.all([next, his, ...sockets].map((socket) => socket.close()));
  });

  test.each([
    ['tiny frames', (socket: TestSocket) => socket.send({ event: 'ping' })],
    ['pings of the WebSocket itself', (socket: TestSocket) => (socket.raw as unknown as { ping(): void }).ping()],
  ])('count for each of very many %s', async (_, send) => {
    const socket = await alice.connect();
    for (let sent = 0; sent < (2 * most) / MIN_FRAME_BYTES; sent++) send(socket);
    expect((await socket.closed).code).toBe(4429);
  });
});

describe('an event that needs little', () => {
  let alice: Person;
  let conversation: string;
  let socket: TestSocket;

  beforeAll(async () => {
    alice = await signUp(server, 'alice');
    conversation = await alice.direct(alice);
    socket = await alice.connect();
  });

  /** A frame of just so many bytes. */
  const sized = (frame: object, bytes: number, pad = ' ') => {
    const text = JSON.stringify(frame);
    return text + pad.repeat(bytes - Buffer.byteLength(text));
  };

  test.each([
    { event: 'ping' },
    { event: 'typing', active: true },
    { event: 'read', seq: 1 },
    { event: 'delivered', seq: 1 },
    { event: 'presence.set', status: 'online' },
    { event: 'message.delete', message_id: crypto.randomUUID(), client_id: 'mine' },
    { event: 'reaction.add', message_id: crypto.randomUUID(), emoji: '👍', client_id: 'mine' },
    { event: 'reaction.remove', message_id: crypto.randomUUID(), emoji: '👍', client_id: 'mine' },
  ])('has 1 KiB, wherever it says which it is: %j', async (frame) => {
    const { event, ...rest } = { ...frame, conversation_id: conversation };
    socket.forget();
    socket.send(sized({ event, ...rest }, SMALL_FRAME_BYTES));
    await socket.settle();
    expect(socket.all((one) => one.code === 'payload_too_large')).toEqual([]);
    for (const order of [
      { event, ...rest },
      { ...rest, event },
      { ...rest, x: '"event":"message.send"', event },
    ]) {
      socket.send(sized(order, SMALL_FRAME_BYTES + 1));
      const { message: _, ...error } = await socket.next((one) => one.code === 'payload_too_large');
      expect(error).toMatchObject({ event: 'error', error: true, retryable: false });
    }
    // Bytes, not characters.
    socket.send(JSON.stringify({ event, ...rest, x: 'é'.repeat(SMALL_FRAME_BYTES / 2) }));
    await socket.next((one) => one.code === 'payload_too_large');
    // How a name is escaped hides nothing.
    socket.send(sized({ event, ...rest }, SMALL_FRAME_BYTES + 1).replace('"event"', '"\\u0065vent"'));
    await socket.next((one) => one.code === 'payload_too_large');
  });

  test('is not parsed where it begins with its name', async () => {
    socket.forget();
    const unfinished = `{"event":"ping","x":${'['.repeat(5000)}`;
    for (const text of [unfinished, ` {\n "event" : ${unfinished.slice(9)}`]) {
      socket.send(text);
      expect(await socket.next('error')).toMatchObject({ code: 'payload_too_large' });
    }
    socket.send(unfinished.replace('ping', 'message.send'));
    expect(await socket.next('error')).toMatchObject({ code: 'invalid_json' });
  });

  test('is told which of its frames it was, where that was read', async () => {
    socket.forget();
    const frame = { client_id: 'this one', event: 'message.delete', x: 'x'.repeat(SMALL_FRAME_BYTES) };
    socket.send(frame);
    expect(await socket.next('error')).toMatchObject({ code: 'payload_too_large', client_id: 'this one' });
  });

  test('is none that there is not, however large', async () => {
    socket.forget();
    for (const event of ['no.such', '__proto__', '']) {
      socket.send(sized({ event }, 5000));
      socket.send(sized({ x: 1, event }, 5000));
    }
    await socket.settle();
    expect(socket.all('error').map(({ code }) => code)).toEqual(times(6, 'unknown_event'));
  });

  test('leaves the others what they need', async () => {
    socket.forget();
    const large = { conversation_id: conversation, content: 'x'.repeat(4000) };
    for (const frame of [large, { event: 'message.send', ...large }, { ...large, event: 'message.send' }]) {
      expect((await socket.ask(frame)).event).toBe('ack');
    }
    const said = await socket.ask({ ...large, content: '{"event":"ping"}'.repeat(200) });
    expect(said.event).toBe('ack');
    const edit = { event: 'message.edit', message_id: said.id, ...large };
    expect((await socket.ask(edit)).event).toBe('ack');
    socket.send({ event: 'presence.watch', user_ids: range(1, 1000).map(() => crypto.randomUUID()) });
    await socket.settle();
    expect(socket.all('error')).toEqual([]);
    // Plain mode knows no events.
    const plain = await alice.connectPlain('&echo=true');
    plain.send({ event: 'ping', ...large, content: 'y'.repeat(4000) });
    await plain.find((frame) => frame.content?.startsWith('y'));
    await plain.close();
  });

  test('and counts as nonsense where it is too large: a hundred and one close with 4400', async () => {
    const other = await alice.connect();
    for (let count = 0; count < 101; count++) other.send(sized({ event: 'ping' }, 2000));
    expect((await other.closed).code).toBe(4400);
  });
});

test('frames of one socket stay in order, however many it sends at once', async () => {
  const [alice, bob] = await signUpAll(server, 'alice', 'bob');
  const group = await alice.group([bob]);
  const socket = await alice.connect();
  const his = await bob.connect();
  const ends = numbered('end', 50);
  // What is handled at once, between what waits for a commit.
  for (const [index, content] of ends.entries()) {
    for (let count = 0; count < 20; count++) socket.send({ event: 'read', conversation_id: group, seq: 1 });
    for (const active of [true, false])
      socket.send({ event: 'typing', conversation_id: group, active: active && index % 10 === 0 });
    socket.send({ event: 'message.send', conversation_id: group, content, client_id: content });
    if (index % 8 === 7) await socket.settle();
  }
  await his.find((frame) => frame.content === ends.at(-1));
  expect(his.all('message').map(({ content }) => content)).toEqual(ends);
  await socket.find((frame) => frame.event === 'ack' && frame.client_id === ends.at(-1));
  expect(socket.all('ack').map(({ client_id }) => client_id)).toEqual(ends);
  expect(socket.all('error')).toEqual([]);
  await Promise.all([socket.close(), his.close()]);
});
