import type { Message, ServerFrame } from '../protocol.ts';
import type { Delta } from '../store/copy.ts';

type Known<E extends ServerFrame['event']> = Extract<ServerFrame, { event: E }>;

/** Frames that tell one change of a conversation each, by its `rev`. */
export type ChangeFrame = Known<
  | 'message'
  | 'message.updated'
  | 'conversation.created'
  | 'conversation.updated'
  | 'participant.joined'
  | 'participant.left'
  | 'participant.updated'
>;

/** The change that a frame tells. */
export function deltaOf(frame: ChangeFrame): Delta {
  const { rev } = frame;
  switch (frame.event) {
    case 'message': {
      const { event: _, ...message } = frame;
      return { rev, messages: [message] };
    }
    case 'message.updated': {
      const { event: _, cause, ...message } = frame;
      return { rev, messages: [message], cause };
    }
    case 'conversation.created':
      return { rev, conversation: frame.entry.conversation, messages: some(frame.message) };
    case 'conversation.updated':
      return { rev, conversation: frame.conversation, messages: some(frame.message) };
    case 'participant.joined': {
      const { participants, conversation } = frame;
      return { rev, conversation, participants, joined: participants.length, messages: some(frame.message) };
    }
    case 'participant.left': {
      const { participants } = frame;
      return {
        rev,
        participants,
        joined: -participants.filter((one) => one.left).length,
        messages: some(frame.message),
      };
    }
    case 'participant.updated':
      return { rev, participants: frame.participants, joined: 0 };
  }
}

function some(message: Message | undefined): Message[] {
  return message ? [message] : [];
}
