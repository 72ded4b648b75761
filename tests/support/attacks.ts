import { connect, type Socket } from 'node:net';
import { SUBPROTOCOL } from '../../protocol/limits.ts';

/** Where an attack goes, and whose accounts it has. */
export interface Battlefield {
  url: string;
  /** Access tokens of the attacker's accounts; the first one's has as many conversations as there are. */
  tokens: string[];
  /** A conversation of the first account, with a long history. */
  conversation: string;
}

/** How often each answer came: a status, a close code, or how a connection ended. */
export type Tally = Record<string, number>;

/** Attacks until the signal, with a bounded number of connections, and says what it was answered. */
export type Attack = (field: Battlefield, signal: AbortSignal) => Promise<Tally>;

const BODY_BYTES = 1024 * 1024;
const UNFINISHED_BODIES = 1500;
const FRAME_BYTES = 64 * 1024;
/** Of one burst to a socket: as much as a system takes at once. */
const BURST_BYTES = 512 * 1024;
const NOWHERE = '0199a3f0-8c00-7a00-8000-00000000dead';

/** What an attacker broke once, and what is like it. Each is what one machine with an account or two can do. */
export const ATTACKS = {
  'answers that nobody reads': (field, signal) =>
    crowd(40, signal, async (tally) => {
      const socket = await dial(field, signal);
      socket.pause();
      const line = `GET ${changes(field)} HTTP/1.1\r\nHost: ${host(field)}\r\n${bearerLine(field)}\r\n\r\n`;
      socket.write(line.repeat(3));
      await closed(socket, signal);
      count(tally, 'cut');
    }),

  'long pages, read as fast as they come': (field, signal) =>
    crowd(12, signal, (tally) => ask(tally, field, changes(field), { headers: bearer(field), signal })),

  'brackets to the log-in': (field, signal) =>
    crowd(16, signal, (tally, turn) => {
      const body = '['.repeat(turn % 2 ? BODY_BYTES - 1 : 16 * 1024 - 1);
      return ask(tally, field, '/api/v1/auth/login', { method: 'POST', headers: JSON_TYPE, body, signal });
    }),

  'bodies that never end': (field, signal) =>
    crowd(UNFINISHED_BODIES, signal, async (tally) => {
      const socket = await dial(field, signal);
      const head = `POST /api/v1/conversations HTTP/1.1\r\nHost: ${host(field)}\r\n${bearerLine(field)}`;
      socket.write(`${head}\r\nContent-Type: application/json\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`);
      socket.write(Buffer.alloc(BODY_BYTES - 1, '['));
      await closed(socket, signal);
      count(tally, 'cut');
    }),

  'frames of brackets': (field, signal) => {
    const frame = `{"event":"ping","x":${'['.repeat(FRAME_BYTES - 24)}`;
    return crowd(5, signal, (tally) => flood(tally, field, signal, [frame]));
  },

  'frames of nothing': (field, signal) =>
    crowd(5, signal, (tally) => flood(tally, field, signal, Array(2000).fill('{"event":"ping"}'))),

  'questions about conversations of others': (field, signal) => {
    const user_ids = Array.from({ length: 1000 }, (_, index) => NOWHERE.slice(0, -4) + String(index).padStart(4, '0'));
    const frames = [
      ...Array(200).fill(JSON.stringify({ event: 'typing', conversation_id: NOWHERE, active: true })),
      JSON.stringify({ event: 'presence.watch', user_ids }),
    ];
    return crowd(5, signal, (tally) => flood(tally, field, signal, frames));
  },

  'four hundred log-ins at once': (field, signal) =>
    crowd(400, signal, (tally, turn) => {
      const body = JSON.stringify({ username: `nobody_${turn}`, password: 'wrong horse battery' });
      return ask(tally, field, '/api/v1/auth/login', { method: 'POST', headers: JSON_TYPE, body, signal });
    }),

  handshakes: (field, signal) =>
    crowd(20, signal, async (tally) => {
      const socket = open(field);
      const code = await ended(socket, signal, true);
      count(tally, `closed ${code}`);
    }),

  'searches by cursors of its own': (field, signal) => {
    const last = { username_key: 'user\u{10FFFE}' };
    const cursor = Buffer.from(JSON.stringify(last)).toString('base64url');
    return crowd(20, signal, (tally, turn) => {
      const path = turn % 2 ? `/api/v1/users?query=user&cursor=${cursor}` : '/api/v1/users?query=user_9';
      return ask(tally, field, path, { headers: bearer(field), signal });
    });
  },

  'the whole directory': (field, signal) =>
    crowd(10, signal, async (tally) => {
      let cursor = '';
      do {
        const answer = await ask(tally, field, `/api/v1/users?limit=100${cursor}`, { headers: bearer(field), signal });
        const { next_cursor } = answer?.ok ? JSON.parse(answer.text) : {};
        cursor = next_cursor === undefined ? '' : `&cursor=${next_cursor}`;
      } while (cursor !== '' && !signal.aborted);
    }),

  'all that was missed, again and again': (field, signal) =>
    crowd(12, signal, (tally) =>
      ask(tally, field, '/api/v1/sync', { headers: { ...bearer(field), 'Accept-Encoding': 'identity' }, signal }),
    ),

  'requests that are none': (field, signal) => {
    const requests = [
      'FOO / HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
      'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
    ];
    return crowd(20, signal, async (tally, turn) => {
      const socket = await dial(field, signal);
      socket.resume();
      socket.end(requests[turn % requests.length]!);
      await closed(socket, signal);
      count(tally, 'closed');
    });
  },

  'documents and figures': (field, signal) =>
    crowd(20, signal, (tally, turn) => {
      const path = ['/metrics', '/api/v1/openapi.json', '/api/v1/health/ready'][turn % 3]!;
      return ask(tally, field, path, { signal });
    }),
} as const satisfies Record<string, Attack>;

export type AttackName = keyof typeof ATTACKS;

/** How long one of a crowd rests after a refusal, in milliseconds: an attacker's own cores are not what is measured. */
const REST_MS = 2;

/** Runs `one` again and again, `count` of them beside each other, until the signal. */
async function crowd(
  size: number,
  signal: AbortSignal,
  one: (tally: Tally, turn: number) => Promise<unknown>,
): Promise<Tally> {
  const tally: Tally = {};
  let turn = 0;
  const each = async () => {
    while (!signal.aborted) {
      try {
        await one(tally, turn++);
      } catch (error) {
        if (!signal.aborted) count(tally, (error as NodeJS.ErrnoException).code ?? (error as Error).name);
      }
      await Bun.sleep(REST_MS);
    }
  };
  await Promise.all(Array.from({ length: size }, each));
  return tally;
}

function count(tally: Tally, what: string | number): void {
  tally[what] = (tally[what] ?? 0) + 1;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const bearer = ({ tokens }: Battlefield) => ({ Authorization: `Bearer ${tokens[0]}` });
const bearerLine = ({ tokens }: Battlefield) => `Authorization: Bearer ${tokens[0]}`;
const host = ({ url }: Battlefield) => new URL(url).host;
const changes = ({ conversation }: Battlefield) => `/api/v1/conversations/${conversation}/changes?since=0&limit=1000`;

async function ask(tally: Tally, { url }: Battlefield, path: string, init: RequestInit) {
  const response = await fetch(url + path, init);
  const text = await response.text();
  count(tally, response.status);
  return { ok: response.ok, text };
}

/** A bare connection, which a server that cuts may reset. */
async function dial({ url }: Battlefield, signal: AbortSignal): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
  socket.on('error', () => {});
  return socket;
}

async function closed(socket: Socket, signal: AbortSignal): Promise<void> {
  if (socket.destroyed || signal.aborted) return;
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

function open({ url, tokens }: Battlefield): WebSocket {
  const headers = { Authorization: `Bearer ${tokens[0]}` };
  return new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers, protocols: [SUBPROTOCOL] } as never);
}

/** Resolves with a socket's close code; one that `leaves` goes by itself as soon as it is open. */
function ended(socket: WebSocket, signal: AbortSignal, leaves = false): Promise<number> {
  return new Promise((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
    if (leaves) socket.onopen = () => socket.close();
    signal.addEventListener('abort', () => socket.close(), { once: true });
  });
}

/** Writes the same frames to a socket as fast as the system takes them, until it is cut. */
async function flood(tally: Tally, field: Battlefield, signal: AbortSignal, frames: string[]): Promise<void> {
  const socket = open(field);
  const over = ended(socket, signal);
  let isOver = false;
  void over.then(() => {
    isOver = true;
  });
  await new Promise<void>((resolve) => {
    socket.onopen = () => resolve();
    void over.then(() => resolve());
  });
  while (!isOver && !signal.aborted) {
    if (socket.bufferedAmount < BURST_BYTES) for (const frame of frames) socket.send(frame);
    count(tally, 'bursts');
    await Bun.sleep(REST_MS);
  }
  socket.close();
  count(tally, `closed ${await over}`);
}
