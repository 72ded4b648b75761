import type { z } from 'zod';
import type { CLIENT_FRAMES, ClientEvent } from '../../protocol/events.ts';
import type { Message } from '../../protocol/resources.ts';
import type { Client } from './client.ts';

type Handlers = {
  [E in ClientEvent]: (client: Client, frame: z.output<(typeof CLIENT_FRAMES)[E]>) => Promise<void> | undefined;
};

/** What each frame of a client does. A promise where the frames behind it must wait. */
export const HANDLERS: Handlers = {
  /** Waits only for what decides the message's place in the log; the answer follows when the commit is done. */
  'message.send'(client, frame) {
    const { chat, typing } = client.deps;
    const placed = chat.place(client.actor, frame, client.key);
    if (frame.conversation_id !== undefined) typing.stop(client.user, frame.conversation_id);
    if (placed instanceof Promise) return placed.then((one) => client.answerLater(one, frame.client_id));
    client.answerLater(placed, frame.client_id);
    return undefined;
  },

  'message.edit': (client, frame) =>
    acknowledge(client, frame, client.deps.chat.edit(client.actor, keyOf(frame), frame)),

  'message.delete': (client, frame) => acknowledge(client, frame, client.deps.chat.delete(client.actor, keyOf(frame))),

  'reaction.add': (client, frame) =>
    acknowledge(client, frame, client.deps.chat.react(client.actor, keyOf(frame), { emoji: frame.emoji, add: true })),

  'reaction.remove': (client, frame) =>
    acknowledge(client, frame, client.deps.chat.react(client.actor, keyOf(frame), { emoji: frame.emoji, add: false })),

  delivered: (client, { conversation_id, seq }) =>
    asMember(client, conversation_id, () =>
      client.deps.marks.note(conversation_id, client.user.id, { delivered_seq: seq }),
    ),

  read: (client, { conversation_id, seq }) =>
    asMember(client, conversation_id, () => client.deps.marks.note(conversation_id, client.user.id, { read_seq: seq })),

  typing: (client, { conversation_id, active }) =>
    asMember(client, conversation_id, () => {
      if (active) client.deps.typing.start(client.user, conversation_id);
      else client.deps.typing.stop(client.user, conversation_id);
    }),

  async 'presence.set'(client, { status }) {
    await client.deps.limits.presence?.take(client.user.id);
    client.deps.presence.choose(client.user.id, status);
  },

  async 'presence.watch'(client, { user_ids }) {
    await client.deps.limits.presence?.take(client.user.id);
    await client.deps.presence.watch(client, user_ids);
  },

  ping(client) {
    client.send({ event: 'pong' });
    return undefined;
  },
};

/**
 * Does what only those in a conversation may. A socket hears what its user is in, so nothing has to be asked; only the
 * news of an invitation may come later than a client that has read of it.
 */
function asMember(client: Client, conversationId: string, work: () => void): Promise<void> | undefined {
  if (!client.user.conversations.has(conversationId)) {
    return client.deps.chat.read.requireMembership(client.actor, conversationId).then(work);
  }
  work();
  return undefined;
}

function keyOf(frame: { conversation_id: string; message_id: string }) {
  return { conversationId: frame.conversation_id, messageId: frame.message_id };
}

async function acknowledge(client: Client, frame: { client_id?: string }, changed: Promise<Message>): Promise<void> {
  client.acknowledge({ ...(await changed), client_id: frame.client_id });
}
