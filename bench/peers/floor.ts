import type { ServerWebSocket } from 'bun';
import type { Answer, Incoming, Setup } from './floor-writer.ts';

/**
 * The floor: how little a durable message can cost on this stack. Parley's hot path and nothing else: Bun topics, and a
 * group commit in a thread that owns SQLite. It knows users by the name they give, checks a frame's types only, and has no
 * limits, no sessions, no repair. What Parley costs beyond it is what the rest costs.
 *
 * Speaks Parley's `message.send`, `ack` and `message`; `POST /setup` makes the conversations.
 */

interface Seat {
  user: string;
}

interface Waiting {
  socket: ServerWebSocket<Seat>;
  message: Incoming;
}

const LARGEST_BATCH = 2000;
const MAX_BACKLOG_BYTES = 1 << 20;

const writer = new Worker(new URL('./floor-writer.ts', import.meta.url).href);
const conversationsOf = new Map<string, string[]>();
const gathering: Waiting[] = [];
let committing: Waiting[] = [];
let setUp: (() => void) | undefined;

/** While one batch commits, the next gathers; there is no timer. */
function commit(): void {
  if (committing.length > 0 || gathering.length === 0) return;
  committing = gathering.splice(0, LARGEST_BATCH);
  writer.postMessage({ batch: committing.map(({ message }) => message) });
}

writer.onmessage = ({ data }: MessageEvent<{ ready: true } | { answers: Answer[] }>) => {
  if ('ready' in data) {
    setUp?.();
    return;
  }
  const committed = committing;
  committing = [];
  commit();
  for (const [index, { socket, message }] of committed.entries()) tell(socket, message, data.answers[index]!);
};

function tell(socket: ServerWebSocket<Seat>, message: Incoming, answer: Answer): void {
  const { client_id, conversation_id } = message;
  if (answer === 'not_found') {
    socket.send(JSON.stringify({ event: 'error', error: true, code: 'conversation_not_found', client_id }));
    return;
  }
  const { id, seq, rev, sent_at, isNew } = answer;
  socket.send(JSON.stringify({ event: 'ack', client_id, id, conversation_id, seq, rev, sent_at }));
  if (!isNew) return;
  const sender = { sender_id: message.sender_id, sender_username: message.sender_id };
  const frame = { event: 'message', id, conversation_id, ...sender, content: message.content, type: 'text' };
  server.publish(conversation_id, JSON.stringify({ ...frame, sent_at, seq, rev, client_id }));
}

const server = Bun.serve<Seat>({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request, self) {
    const { pathname, searchParams } = new URL(request.url);
    const user = searchParams.get('user');
    if (pathname === '/ws' && user && self.upgrade(request, { data: { user } })) return undefined;
    if (pathname !== '/setup' || request.method !== 'POST') return new Response('not found', { status: 404 });
    const setup = (await request.json()) as Setup;
    for (const { id, members } of setup.conversations) {
      for (const member of members) conversationsOf.set(member, [...(conversationsOf.get(member) ?? []), id]);
    }
    const done = new Promise<void>((resolve) => {
      setUp = resolve;
    });
    writer.postMessage({ setup });
    await done;
    return new Response('ok');
  },
  websocket: {
    backpressureLimit: MAX_BACKLOG_BYTES,
    closeOnBackpressureLimit: true,
    open(socket) {
      for (const conversation of conversationsOf.get(socket.data.user) ?? []) socket.subscribe(conversation);
      socket.send('{"event":"ready"}');
    },
    message(socket, text) {
      const { conversation_id, client_id, content } = JSON.parse(text as string);
      if (typeof conversation_id !== 'string' || typeof client_id !== 'string' || typeof content !== 'string') {
        socket.send('{"event":"error","error":true,"code":"validation_failed"}');
        return;
      }
      const id = Bun.randomUUIDv7();
      const message = { id, conversation_id, sender_id: socket.data.user, client_id, content, sent_at: Date.now() };
      gathering.push({ socket, message });
      commit();
    },
  },
});

process.stdout.write(`${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${server.port}` })}\n`);
