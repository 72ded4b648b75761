import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { MAX_FRAME_BYTES, MAX_UNANSWERED_SENDS, MAX_WAITING_FRAMES } from '../../protocol/limits.ts';
import { numbered, range } from '../support/burst.ts';
import { eventually } from '../support/eventually.ts';
import { metric } from '../support/metrics.ts';
import { type Person, signUpAll } from '../support/people.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import type { Frame, TestSocket } from '../support/socket.ts';

const MIB = 1024 * 1024;

let server: TestServer;
let alice: Person;
let bob: Person;
let conversation: string;
/** Hears what should not have got through. */
let his: TestSocket;

beforeAll(async () => {
  server = await startServer();
  [alice, bob] = await signUpAll(server, 'alice', 'bob');
  conversation = await alice.direct(bob);
  his = await bob.connect();
});
afterAll(endServers);
beforeEach(() => {
  his.forget();
});

/** A frame of a message, padded with a field that means nothing to exactly `bytes`. */
function frameOf(bytes: number, content: string, client_id: string): string {
  const frame = { conversation_id: conversation, content, client_id, padding: '' };
  const missing = bytes - Buffer.byteLength(JSON.stringify(frame));
  return JSON.stringify({ ...frame, padding: 'x'.repeat(missing) });
}

async function heardByBob(): Promise<string[]> {
  await his.settle();
  return his.all('message').map(({ content }) => content);
}

const PROTOTYPE_NAMES = [
  'constructor',
  '__proto__',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'prototype',
  '__defineGetter__',
];

describe('on a socket of parley.v1', () => {
  let socket: TestSocket;

  beforeEach(async () => {
    socket = await alice.connect();
  });

  /** Each is refused with its code, nothing gets through, and the socket goes on. */
  async function expectRefusals(frames: [frame: unknown, code: string][]) {
    for (const [frame, code] of frames) {
      const text = typeof frame === 'string' ? frame : JSON.stringify(frame);
      socket.send(text);
      const { client_id: _, ...answer } = await socket.next('error');
      expect(answer, text.slice(0, 200)).toEqual({
        event: 'error',
        error: true,
        code,
        message: expect.any(String),
        retryable: false,
      });
      expect(answer.message).not.toMatch(/\bat \/|undefined|\[object|TypeError|SyntaxError|sqlite/i);
    }
    expect(await heardByBob()).toEqual([]);
    await socket.say(conversation, 'still here');
    expect(await heardByBob()).toEqual(['still here']);
    await socket.close();
  }

  test('what is no JSON object is refused', () =>
    expectRefusals(
      [
        '{',
        '',
        ' ',
        '{"event":"ping"',
        "{'event':'ping'}",
        'ping',
        '[]',
        '[{"event":"ping"}]',
        '"ping"',
        '7',
        'null',
        'true',
        '{}}',
        '\ufeff{}',
        `${'['.repeat(30_000)}`,
      ].map((frame) => [frame, 'invalid_json'] as [string, string]),
    ));

  test('binary frames are refused', async () => {
    for (const bytes of [new Uint8Array(), Buffer.from('{"event":"ping"}'), new Uint8Array(1000).fill(255)]) {
      socket.raw.send(bytes);
      expect(await socket.next('error')).toMatchObject({ code: 'invalid_json' });
    }
    await expectRefusals([]);
  });

  test('events that there are not are refused, those out of Object.prototype among them', () =>
    expectRefusals(
      [
        '',
        'Ping',
        'PING',
        'message',
        'ack',
        'ready',
        'message.send ',
        ...PROTOTYPE_NAMES,
        7,
        0,
        false,
        [],
        ['ping'],
        {},
        { ping: 1 },
      ].map((event) => [{ event, conversation_id: conversation, content: 'x' }, 'unknown_event'] as [unknown, string]),
    ));

  test('keys out of Object.prototype are only keys', async () => {
    for (const client_id of PROTOTYPE_NAMES) {
      const answer = await socket.ask({
        event: 'message.send',
        conversation_id: conversation,
        content: client_id,
        client_id,
      });
      expect(answer).toMatchObject({ event: 'ack', client_id });
    }
    socket.send(`{"event":"ping","__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}}}`);
    await socket.next('pong');
    expect(await heardByBob()).toEqual(PROTOTYPE_NAMES);
    his.forget();
    await expectRefusals([]);
  });

  test('messages with fields of wrong types, or without what they need, are refused', () => {
    const good = { event: 'message.send', conversation_id: conversation, content: 'x' };
    const wrong: object[] = [
      { event: 'message.send' },
      { ...good, content: undefined },
      { ...good, conversation_id: undefined },
      { ...good, recipient: bob.id },
      { ...good, conversation_id: 'not-an-id' },
      { ...good, conversation_id: { id: conversation } },
      { ...good, conversation_id: [conversation] },
      { ...good, conversation_id: null },
      { ...good, conversation_id: 7 },
      { ...good, conversation_id: `${conversation}' or 1=1 --` },
      { ...good, conversation_id: undefined, recipient: 'bob' },
      { ...good, conversation_id: undefined, recipient: { $gt: '' } },
      { ...good, client_id: 'k'.repeat(65) },
      { ...good, client_id: '' },
      { ...good, client_id: 7 },
      { ...good, client_id: {} },
      { ...good, client_id: 'a\0b' },
      { ...good, type: 'system' },
      { ...good, type: 'image' },
      { ...good, type: ['text'] },
    ];
    for (const content of [
      7,
      null,
      true,
      {},
      [],
      ['x'],
      { length: 1 },
      '',
      ' ',
      '\n\t\u00a0\u2003',
      'x'.repeat(4001),
      '😀'.repeat(4001),
      'a\0b',
      '\ud83d',
      'a\udc00b',
      '\udc00\ud800',
    ]) {
      wrong.push({ ...good, content });
    }
    return expectRefusals(wrong.map((frame) => [frame, 'validation_failed']));
  });

  test('an error says which send it was for, where its client_id is one', async () => {
    for (const client_id of ['mine', 'k'.repeat(64)]) {
      const answer = await socket.ask({ event: 'message.send', conversation_id: conversation, client_id });
      expect(answer).toMatchObject({ event: 'error', code: 'validation_failed', client_id });
    }
    socket.send({ event: 'message.send', conversation_id: conversation, content: 'x', client_id: 'k'.repeat(65) });
    await socket.settle();
    expect(socket.all('error').at(-1)).not.toHaveProperty('client_id');
    await socket.close();
  });

  test('text of every kind comes out as it went in', async () => {
    const texts = [
      'x'.repeat(4000),
      '😀'.repeat(4000),
      '👩‍👩‍👧‍👦 👍🏽 🇩🇪',
      'שלום \u202Eevil\u202C عالم \u200f',
      `Z${'\u0335\u0301'.repeat(500)}algo`,
      ` \t${'x'.repeat(3990)}\r\n `,
      '\u0001\u001b[31m\u007f\u2028\u2029\ufeff\uffff',
      '{"event":"ping"}',
      '</script><img src=x onerror=alert(1)>',
    ];
    for (const content of texts) await socket.say(conversation, content);
    expect(await heardByBob()).toEqual(texts);
    expect((await bob.history(conversation)).slice(-texts.length).map(({ content }) => content)).toEqual(texts);
    await socket.close();
  });

  test('a frame of 64 KiB is taken, one byte more closes with 1009', async () => {
    socket.send(frameOf(MAX_FRAME_BYTES, 'just fits', 'fits'));
    expect(await socket.find('ack')).toMatchObject({ client_id: 'fits' });
    socket.send(frameOf(MAX_FRAME_BYTES + 1, 'too much', 'too much'));
    expect((await socket.closed).code).toBe(1009);
    const plain = await alice.connectPlain();
    plain.send('x'.repeat(2 * MIB));
    expect((await plain.closed).code).toBe(1009);
    expect(await heardByBob()).toEqual(['just fits']);
  });

  test('a hundred nonsense frames are answered, one more closes with 4400', async () => {
    const plain = await alice.connectPlain();
    for (const one of [socket, plain]) {
      for (let count = 0; count < 100; count++) one.send(count % 2 ? 'nonsense' : { event: 'no.such', nor: 'this' });
      await eventually('a hundred errors', async () => one.all((frame) => frame.error === true).length === 100);
      one.send('nonsense');
      expect((await one.closed).code).toBe(4400);
    }
  });

  test('nonsense now and then is forgiven', async () => {
    for (let round = 0; round < 4; round++) {
      for (let count = 0; count < 90; count++) socket.send('nonsense');
      await socket.say(conversation, `sense ${round}`);
    }
    await socket.settle();
    expect(socket.all('error')).toHaveLength(360);
    await socket.close();
  });

  test('64 sends without an answer and 256 frames behind them are within bounds', async () => {
    const contents = numbered('within', MAX_UNANSWERED_SENDS + MAX_WAITING_FRAMES);
    for (const content of contents) {
      socket.send({ event: 'message.send', conversation_id: conversation, content, client_id: content });
    }
    await socket.find((frame) => frame.event === 'ack' && frame.client_id === contents.at(-1));
    expect(socket.all('ack').map(({ client_id }) => client_id)).toEqual(contents);
    expect(await heardByBob()).toEqual(contents);
    await socket.close();
  });

  test('a flood closes with 4429, what got in is in order, and the next socket may try again', async () => {
    const count = 20_000;
    for (let index = 0; index < count; index++) {
      socket.send({
        event: 'message.send',
        conversation_id: conversation,
        content: `flood ${index}`,
        client_id: `flood ${index}`,
      });
    }
    expect((await socket.closed).code).toBe(4429);
    const stored = (await heardByBob()).length;
    expect(stored).toBeLessThan(count);
    expect(await heardByBob()).toEqual(range(0, stored - 1).map((index) => `flood ${index}`));
    const next = await alice.connect();
    await next.say(conversation, 'calm');
    await his.find((frame) => frame.content === 'calm');
    await next.close();
  });
});

describe('memory stays bounded', () => {
  test('under floods, of large frames and of small ones', async () => {
    const flood = async (bytes: number, content: string) => {
      const peer = await RawPeer.open(server, `/ws?token=${alice.tokens.access_token}`);
      const frame = frameOf(bytes, content, content);
      for (let sent = 0; sent < 32 * MIB; sent += bytes) peer.send(frame);
      peer.end();
      await peer.drain();
    };
    await Promise.all([flood(MAX_FRAME_BYTES, 'warm'), flood(300, 'warm')]);
    const before = await server.memory();
    for (let round = 0; round < 3; round++) {
      await Promise.all([flood(MAX_FRAME_BYTES, 'large'), flood(MAX_FRAME_BYTES, 'large'), flood(300, 'small')]);
    }
    await his.settle();
    // 288 MiB were sent. What the collector has not yet freed goes up and down by some 75 MiB, however many rounds follow.
    expect((await server.memory()) - before).toBeLessThan(128 * MIB * server.nodes.length);
    expect((await heardByBob()).toSorted()).toEqual(['large', 'small', 'warm']);
  }, 120_000);

  test('under frames that are never finished, and connections that say nothing', async () => {
    const path = `/ws?token=${alice.tokens.access_token}`;
    const before = await server.memory();
    const peers = await Promise.all(Array.from({ length: 50 }, () => RawPeer.open(server, path)));
    for (const peer of peers)
      peer.write(Buffer.from([0x81, 0xfe, 0xff, 0xff, 0, 0, 0, 0, ...Buffer.alloc(60_000, 120)]));
    await his.settle();
    expect((await server.memory()) - before).toBeLessThan(64 * MIB * server.nodes.length);
    for (const peer of peers) peer.destroy();
    await eventually(
      'their sockets are gone',
      async () => (await metric(server, 'parley_connections{mode="plain"}')) === 0,
    );
  });
});

describe('what breaks the WebSocket protocol itself', () => {
  const breaches: [name: string, bytes: number[]][] = [
    ['a frame without a mask', [0x81, 0x02, 0x7b, 0x7d]],
    ['reserved bits', [0xf1, 0x82, 0, 0, 0, 0, 0x7b, 0x7d]],
    ['an opcode that there is not', [0x83, 0x80, 0, 0, 0, 0]],
    ['a fragmented ping', [0x09, 0x80, 0, 0, 0, 0]],
    ['a continuation of nothing', [0x80, 0x80, 0, 0, 0, 0]],
    ['a length of 2⁶³', [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['text that is not UTF-8', [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]],
  ];
  for (const [name, bytes] of breaches) {
    test(`${name} ends the socket, and only that one`, async () => {
      const peer = await RawPeer.open(server, `/ws?token=${alice.tokens.access_token}`);
      peer.write(Buffer.from(bytes));
      await peer.drain();
      const next = await alice.connect();
      await next.say(conversation, name);
      expect(await heardByBob()).toEqual([name]);
      await next.close();
    });
  }

  test('a message in fragments is one message', async () => {
    const text = Buffer.from(
      JSON.stringify({ conversation_id: conversation, content: 'in two parts' } satisfies Frame),
    );
    const fragment = (head: number, part: Buffer) =>
      Buffer.concat([Buffer.from([head, 0x80 | part.length, 0, 0, 0, 0]), part]);
    const peer = await RawPeer.open(server, `/ws?token=${alice.tokens.access_token}`);
    peer.write(fragment(0x01, text.subarray(0, 20)));
    peer.write(fragment(0x80, text.subarray(20)));
    expect(await his.find('message')).toMatchObject({ content: 'in two parts' });
    peer.destroy();
  });
});
