import type { CatchUp, Changes, Head } from '../../protocol/resources.ts';
import { BenchFailure } from '../failure.ts';
import { peakResidentBytes, residentBytes } from '../measure/memory.ts';
import { spread } from '../measure/percentiles.ts';
import { Meter } from './meter.ts';
import type { Storm, StormResult } from './plan.ts';
import { rawRequest } from './raw-http.ts';
import { RawSocket, throwUncaught } from './raw-socket.ts';

/** Pause before another try, of which a random part is waited, doubled with each (PROTOCOL.md §6). */
const BACKOFF_MS = { base: 200, cap: 5000 };
/** Nobody is turned away for good: who was refused as often as that is a failure. */
const MAX_TRIES = 20;

type StormClient = Storm['clients'][number];

/** What went on among all clients. */
interface Tally {
  retries: number;
  refused: number;
  messages: number;
}

/**
 * All come back at once, each as a client does: it opens its socket, waits for `ready`, says what it holds, and asks for
 * whatever is still missing, until it has every message that it missed, each once and in order.
 */
export async function runStorm(plan: Storm): Promise<StormResult> {
  const tally: Tally = { retries: 0, refused: 0, messages: 0 };
  const before_bytes = residentBytes(plan.server_pid);
  const meter = new Meter(plan.server_pid);
  const begunAt = performance.now();
  const opened = new Float64Array(plan.clients.length);
  const synced = new Float64Array(plan.clients.length);
  const sockets = await Promise.all(
    plan.clients.map(async (client, index) => {
      const socket = await retrying(tally, () => openSocket(plan, client));
      opened[index] = performance.now() - begunAt;
      await comeBack(plan, client, tally);
      synced[index] = performance.now() - begunAt;
      return socket;
    }),
  );
  const duration_ms = performance.now() - begunAt;
  const cost = meter.read();
  for (const socket of sockets) socket.leave();
  return {
    ...cost,
    ...tally,
    duration_ms,
    opened: spread(opened),
    synced: spread(synced),
    before_bytes,
    peak_bytes: peakResidentBytes(plan.server_pid),
  };
}

/** Resolves when the socket says that it is ready. */
async function openSocket({ url }: Storm, { headers, protocols }: StormClient): Promise<{ leave(): void }> {
  const ready = Promise.withResolvers<void>();
  let leaving = false;
  const socket = await RawSocket.open(
    url,
    { path: '/ws', headers: { ...headers, 'Sec-WebSocket-Protocol': protocols } },
    {
      text: (bytes, start, end) => {
        const { event } = JSON.parse(bytes.toString('utf8', start, end));
        if (event === 'ready') ready.resolve();
        else if (event !== 'receipts') throw new BenchFailure(`a socket that nobody writes to heard ${event}`);
      },
      closed: (code) => {
        if (!leaving) throwUncaught(new BenchFailure(`a socket was cut (${code ?? 'no close frame'})`));
      },
    },
  );
  await ready.promise;
  return {
    leave: () => {
      leaving = true;
      socket.close();
    },
  };
}

async function comeBack(plan: Storm, client: StormClient, tally: Tally): Promise<void> {
  const { missed_each } = plan;
  const held = client.conversations.map(([id, rev]) => ({ id, rev: rev - missed_each }));
  const body = JSON.stringify({ conversations: held });
  const answer = await ask<CatchUp>(plan, client, tally, 'POST', '/api/v1/sync', body);
  const heads = new Map(answer.conversations.map((head) => [head.id, head]));
  if (heads.size !== client.conversations.length) throw new BenchFailure(`sync lists ${heads.size} conversations`);
  for (const [id, rev, seq] of client.conversations) {
    const head = heads.get(id);
    if (head?.rev !== rev || head.seq !== seq) throw new BenchFailure(`${id} is at ${JSON.stringify(head)}`);
    const changes = head.changes ?? (await fetchChanges(plan, client, tally, head, rev - missed_each));
    check(changes, head, missed_each);
    tally.messages += changes.messages.length;
  }
}

function fetchChanges(plan: Storm, client: StormClient, tally: Tally, { id }: Head, since: number): Promise<Changes> {
  return ask<Changes>(plan, client, tally, 'GET', `/api/v1/conversations/${id}/changes?since=${since}`);
}

/** Every message that was missed, each once and in its place. */
function check({ messages, rev, has_more }: Changes, head: Head, missed: number): void {
  const isInPlace = messages.every(({ seq, conversation_id }, index) => {
    return seq === head.seq - missed + 1 + index && conversation_id === head.id;
  });
  if (messages.length !== missed || !isInPlace || rev !== head.rev || has_more) {
    throw new BenchFailure(`changes of ${head.id} at ${head.seq} are ${JSON.stringify({ messages, rev })}`);
  }
}

function ask<T>(
  { url }: Storm,
  { headers }: StormClient,
  tally: Tally,
  method: string,
  path: string,
  body?: string,
): Promise<T> {
  return retrying(tally, async () => {
    const answer = await rawRequest(url, { method, path, headers, body });
    if (answer.status !== 200) throw new Refused(`${method} ${path} answered ${answer.status}: ${answer.body}`);
    return JSON.parse(answer.body.toString('utf8')) as T;
  });
}

class Refused extends BenchFailure {}

async function retrying<T>(tally: Tally, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refused || /refused/.test((error as Error).message)) tally.refused++;
      if (tries === MAX_TRIES) throw error;
      tally.retries++;
      await Bun.sleep(Math.random() * Math.min(BACKOFF_MS.cap, BACKOFF_MS.base * 2 ** tries));
    }
  }
}
