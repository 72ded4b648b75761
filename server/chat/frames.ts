import type { Message } from '../../protocol/resources.ts';
import type { Connection } from '../realtime/connection.ts';
import { asMember, type FrameHandlers, framesOf } from '../realtime/frames.ts';
import type { Marks } from './marks/marks.ts';
import type { ChatService } from './service.ts';

/** What people do in conversations over a socket; the routes call the same service. */
export function chatFrames({ chat, marks }: { chat: ChatService; marks: Marks }): FrameHandlers {
  return framesOf({
    /** Waits only for what decides the message's place in the log; the answer follows when the commit is done. */
    'message.send'(connection, frame) {
      const enqueued = chat.enqueue(connection.actor, frame, connection.key);
      if (frame.conversation_id !== undefined) connection.stopTyping(frame.conversation_id);
      if (enqueued instanceof Promise) {
        return enqueued.then(({ result }) => connection.answerLater(result, frame.client_id));
      }
      connection.answerLater(enqueued.result, frame.client_id);
      return undefined;
    },

    'message.edit': (connection, frame) =>
      acknowledge(connection, frame, chat.edit(connection.actor, keyOf(frame), frame)),

    'message.delete': (connection, frame) =>
      acknowledge(connection, frame, chat.delete(connection.actor, keyOf(frame))),

    'reaction.add': (connection, frame) =>
      acknowledge(connection, frame, chat.react(connection.actor, keyOf(frame), { emoji: frame.emoji, add: true })),

    'reaction.remove': (connection, frame) =>
      acknowledge(connection, frame, chat.react(connection.actor, keyOf(frame), { emoji: frame.emoji, add: false })),

    delivered: (connection, { conversation_id, seq }) =>
      asMember(connection, conversation_id, () => {
        marks.note(conversation_id, connection.user.id, { delivered_seq: seq });
        return undefined;
      }),

    read: (connection, { conversation_id, seq }) =>
      asMember(connection, conversation_id, () => {
        marks.note(conversation_id, connection.user.id, { read_seq: seq });
        return undefined;
      }),
  });
}

function keyOf(frame: { conversation_id: string; message_id: string }) {
  return { conversationId: frame.conversation_id, messageId: frame.message_id };
}

async function acknowledge(
  connection: Connection,
  frame: { client_id?: string },
  changed: Promise<Message>,
): Promise<void> {
  connection.acknowledge({ ...(await changed), client_id: frame.client_id });
}
