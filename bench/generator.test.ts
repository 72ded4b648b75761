import { afterEach, describe, expect, test } from 'bun:test';
import { id } from './ids.ts';
import type { ClosedLoop, OpenLoop } from './load/plan.ts';
import { runGenerator } from './run-generator.ts';

/** What a chat server may do wrong to its third message. */
type Fault = 'none' | 'hole' | 'double' | 'reorder' | 'other text' | 'other conversation' | 'cut' | 'lost ack';

const CONVERSATION = id('conversation', 1);
let server: Bun.Server<undefined> | undefined;

/** A chat server in which everybody is in one conversation. */
function chatWith(fault: Fault): string {
  let seq = 0;
  server = Bun.serve<undefined>({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response('no', { status: 400 })),
    websocket: {
      open(socket) {
        socket.subscribe('all');
        socket.send('{"event":"ready"}');
      },
      message(socket, text) {
        const { client_id, conversation_id, content } = JSON.parse(text as string);
        const tell = (number: number, changed = {}) =>
          server!.publish(
            'all',
            JSON.stringify({ event: 'message', conversation_id, seq: number, client_id, content, ...changed }),
          );
        seq++;
        const now = seq === 3 ? fault : 'none';
        if (now !== 'lost ack') socket.send(JSON.stringify({ event: 'ack', client_id, seq }));
        if (now === 'cut') socket.close(1011);
        else if (now === 'other text') tell(seq, { content: 'something else' });
        else if (now === 'other conversation') tell(seq, { conversation_id: id('conversation', 2) });
        else if (now === 'reorder') tell(seq + 1);
        else if (now !== 'hole') tell(seq);
        if (now === 'double') tell(seq);
      },
    },
  });
  return `http://127.0.0.1:${server.port}`;
}

function talk(url: string) {
  const seat = { path: '/', headers: {}, conversation: 0 };
  return {
    url,
    server_pid: process.pid,
    dialect: 'parley' as const,
    conversations: [{ id: CONVERSATION, seq: 0 }],
    seats: [
      { ...seat, sends: true },
      { ...seat, sends: false },
    ],
    content_bytes: 160,
    warm_ms: 50,
    measure_ms: 200,
    drain_ms: 300,
  };
}

const full = (url: string, max_messages = 1000): ClosedLoop => ({
  load: 'closed',
  ...talk(url),
  window: 4,
  max_messages,
  full_check_every: 1,
});

afterEach(() => server?.stop(true));

describe('the load generator', () => {
  test('counts what every socket heard, and where the conversation ends', async () => {
    const { acked, delivered, seqs, repairs } = await runGenerator(full(chatWith('none'), 1_000_000));
    expect(acked).toBeGreaterThan(0);
    expect(delivered).toBeGreaterThan(acked);
    expect(seqs[0]).toBeGreaterThanOrEqual(acked);
    expect(repairs).toBe(0);
  });

  test('stops at its bound', async () => {
    const { seqs } = await runGenerator(full(chatWith('none')));
    expect(seqs).toEqual([1000]);
  });

  test('sends by the clock, and measures each message', async () => {
    const plan: OpenLoop = { load: 'open', ...talk(chatWith('none')), per_second: 500 };
    const { delivery, lateness, seqs } = await runGenerator(plan);
    expect(delivery.count).toBe(100);
    expect(delivery.p50).toBeGreaterThan(0);
    expect(delivery.p50).toBeGreaterThanOrEqual(lateness.p50);
    expect(seqs).toEqual([125]);
  });

  const complaints: [Fault, string][] = [
    ['hole', 'left a hole before it'],
    ['double', 'came twice or late'],
    ['reorder', 'left a hole before it'],
    ['other text', 'is not what was sent'],
    ['other conversation', "not a message of this socket's conversation"],
    ['cut', 'was cut (1011)'],
  ];
  test.each(complaints)('fails where a server makes a mistake: %s', async (fault, complaint) => {
    await expect(runGenerator(full(chatWith(fault)))).rejects.toThrow(complaint);
  });

  test('fails where an answer never comes', async () => {
    await expect(runGenerator(full(chatWith('lost ack')))).rejects.toThrow('999 answered');
  });

  test('puts no load on another machine', async () => {
    await expect(runGenerator(full('http://192.0.2.1:80'))).rejects.toThrow('this machine only');
  });
});
