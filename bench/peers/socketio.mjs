/**
 * Socket.IO as people run it for chat: Node, its own `ws` engine, WebSocket only, no compression, one room a
 * conversation. Messages are numbered in memory and are gone at the stop: it promises less than Parley, and is here for
 * what a delivery costs. `POST /setup` says who is in which conversation.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Server } from 'socket.io';

/** @type {Map<string, string[]>} */
const conversationsOf = new Map();
/** @type {Map<string, number>} */
const newest = new Map();

const http = createServer(async (request, response) => {
  if (request.method !== 'POST' || request.url !== '/setup') {
    response.writeHead(404).end();
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  for (const { id, members } of JSON.parse(body).conversations) {
    for (const member of members) conversationsOf.set(member, [...(conversationsOf.get(member) ?? []), id]);
  }
  response.end('ok');
});

const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});

io.on('connection', (socket) => {
  const user = socket.handshake.auth.user;
  for (const conversation of conversationsOf.get(user) ?? []) socket.join(conversation);

  socket.on('send', ({ client_id, conversation_id, content }, answer) => {
    if (typeof content !== 'string' || !socket.rooms.has(conversation_id)) {
      answer({ client_id, error: 'conversation_not_found' });
      return;
    }
    const seq = (newest.get(conversation_id) ?? 0) + 1;
    newest.set(conversation_id, seq);
    const id = randomUUID();
    const sent_at = Date.now();
    const sender = { sender_id: user, sender_username: user };
    answer({ client_id, id, conversation_id, seq, rev: seq, sent_at });
    const message = { id, conversation_id, ...sender, content, type: 'text', sent_at, seq, rev: seq, client_id };
    io.to(conversation_id).emit('message', message);
  });
});

http.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${http.address().port}` })}\n`);
});
