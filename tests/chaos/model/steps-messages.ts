import type { Sent, Told, World } from './world.ts';

/** What people do with messages. Each step chooses before it waits for anything; true: it was done. */

const EMOJIS = ['👍', '❤️', '😂', '🎉', '😮', '🙏'];

type Step = (world: World) => Promise<boolean> | boolean;

export const MESSAGE_STEPS = {
  'send over REST': (world) => post(world, chooseSend(world)),
  'send over a socket': (world) => say(world, chooseSend(world)),

  async 'send in plain mode'(world) {
    const room = world.room();
    const sender = world.member(room);
    const content = world.text();
    const line = await sender?.line('plain');
    if (!room || !line) return false;
    line.send({ conversation_id: room.id, content });
    return true;
  },

  'send from the outbox'(world) {
    const room = world.room();
    const client = world.clientOf(world.member(room));
    if (!room || !client) return false;
    const quoted = world.random.chance(0.2) ? world.random.pick(room.messages) : undefined;
    client.send(room.id, world.text(), quoted?.id);
    return true;
  },

  async 'send to a person'(world) {
    const [sender, other] = world.random.shuffled(world.people);
    const content = world.text();
    const line = await sender!.line('v1');
    const answer = await line?.ask({ event: 'message.send', recipient: other!.id, content });
    return answer?.event === 'ack';
  },

  'reply over REST': (world) => post(world, chooseReply(world)),
  'reply over a socket': (world) => say(world, chooseReply(world)),

  edit: (world) => edit(world, world.message(), {}),
  'edit with if_rev'(world) {
    const message = world.message();
    return edit(world, message, { if_rev: message?.rev });
  },
  async 'edit that is stale'(world) {
    const message = world.random.pick(world.rooms.flatMap((room) => room.messages));
    const if_rev = Math.max(0, (message?.rev ?? 0) - 1);
    return message !== undefined && !(await edit(world, message, { if_rev }));
  },

  async delete(world) {
    const message = world.message();
    const actor = world.random.chance(0.3) ? world.admin(message?.room) : message?.sender;
    if (!message || !actor) return false;
    const done = await act(world, actor, message, { event: 'message.delete' }, 'DELETE', '');
    const { messages } = message.room;
    if (done) messages.splice(messages.indexOf(message), 1);
    return done !== undefined;
  },

  async 'reaction added'(world) {
    const message = world.message();
    const person = world.member(message?.room);
    const emoji = world.random.pick(EMOJIS)!;
    if (!message || !person) return false;
    const done = await act(world, person, message, { event: 'reaction.add', emoji }, 'PUT', `/reactions/${emoji}`);
    if (done) message.room.reactions.push({ message, person, emoji });
    return done !== undefined;
  },

  async 'reaction taken back'(world) {
    const room = world.room(({ reactions }) => reactions.length > 0);
    if (!room) return false;
    const [{ message, person, emoji }] = room.reactions.splice(world.random.int(room.reactions.length), 1) as any;
    const frame = { event: 'reaction.remove', emoji };
    return (await act(world, person, message, frame, 'DELETE', `/reactions/${emoji}`)) !== undefined;
  },

  async 'retry that is late'(world) {
    const sent = world.random.pick(world.sent);
    if (!sent) return false;
    const isOut = sent.room.former.has(sent.sender);
    const done = await (world.random.chance(0.5) ? post(world, sent) : say(world, sent));
    if (done && isOut) world.did('retry of somebody who is out');
    return done;
  },

  async 'retry that is doubled'(world) {
    const sent = chooseSend(world);
    return (await Promise.all([post(world, sent), say(world, sent), post(world, sent)])).every((done) => done);
  },

  async 'old edit again'(world) {
    const old = world.random.pick(world.edits);
    if (!old) return false;
    const { message, content, if_rev } = old;
    const path = `/conversations/${message.room.id}/messages/${message.id}`;
    const answer = await message.sender.call('PATCH', path, { content, if_rev });
    return answer !== undefined;
  },
} satisfies Record<string, Step>;

function chooseSend(world: World): Sent | undefined {
  const room = world.room();
  const sender = world.member(room);
  if (!room || !sender) return undefined;
  return remember(world, { room, sender, content: world.text(), client_id: crypto.randomUUID() });
}

function chooseReply(world: World): Sent | undefined {
  const quoted = world.message();
  const sender = world.member(quoted?.room);
  if (!quoted || !sender) return undefined;
  const reply_to = quoted.id;
  return remember(world, {
    room: quoted.room,
    sender,
    content: world.text(),
    client_id: crypto.randomUUID(),
    reply_to,
  });
}

function remember(world: World, sent: Sent): Sent {
  world.sent.push(sent);
  return sent;
}

async function post(world: World, sent: Sent | undefined): Promise<boolean> {
  if (!sent) return false;
  const { room, sender, content, client_id, reply_to } = sent;
  const answer = await sender.call('POST', `/conversations/${room.id}/messages`, { content, client_id, reply_to });
  if (answer && answer.status >= 400) world.refused(sent, answer.body.code);
  if (!answer || answer.status >= 300) return false;
  world.learnSent(sent, answer.body);
  return true;
}

async function say(world: World, sent: Sent | undefined): Promise<boolean> {
  if (!sent) return false;
  const { room, sender, content, client_id, reply_to } = sent;
  const line = await sender.line('v1');
  const answer = await line?.ask({ event: 'message.send', conversation_id: room.id, content, client_id, reply_to });
  if (answer?.event === 'error') world.refused(sent, answer.code);
  if (answer?.event !== 'ack') return false;
  world.learnSent(sent, answer as never);
  return true;
}

async function edit(world: World, message: Told | undefined, rest: { if_rev?: number }): Promise<boolean> {
  if (!message) return false;
  const content = world.text();
  const frame = { event: 'message.edit', content, ...rest };
  const rev = await act(world, message.sender, message, frame, 'PATCH', '', { content, ...rest });
  if (rev === undefined) return false;
  world.edits.push({ message, content, if_rev: message.rev });
  message.rev = rev;
  message.content = content;
  return true;
}

/** One change of a message, over REST or over a socket; its `rev`, or nothing where it was refused or not answered. */
async function act(
  world: World,
  person: Told['sender'],
  message: Told,
  frame: object,
  method: string,
  path: string,
  body?: object,
): Promise<number | undefined> {
  const { room, id } = message;
  if (world.random.chance(0.5)) {
    const answer = await person.call(method, `/conversations/${room.id}/messages/${id}${encodeURI(path)}`, body);
    return answer && answer.status < 300 ? answer.body.rev : undefined;
  }
  const line = await person.line('v1');
  const answer = await line?.ask({ ...frame, conversation_id: room.id, message_id: id });
  return answer?.event === 'ack' ? answer.rev : undefined;
}
