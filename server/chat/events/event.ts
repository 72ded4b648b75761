import type { Conversation, Message, Participant } from '../../../protocol/resources.ts';

/** Where a consumer stands in a conversation: every message up to `seq` and every change up to `rev` is behind it. */
export interface Position {
  seq: number;
  rev: number;
}

/** Before everything. */
export const BEFORE_ALL: Position = { seq: 0, rev: 0 };

interface Happened {
  conversation_id: string;
  /** With the conversation it names the event, for ever. */
  rev: number;
  /** When it happened; of what is told as it stands, as near as that can be known. In milliseconds since the Unix epoch. */
  at: number;
  /** Who did it. */
  actor_id?: string;
  /** What happened was not kept, or came before it was: this tells what stands, for whatever led to it. */
  coalesced?: true;
}

/**
 * What happened in a conversation at one `rev`, with the data as it stands when it is told: a message that was deleted since
 * comes as a tombstone. Where a change brought a system message, that is `message`.
 */
export type ConversationEvent =
  | (Happened & { kind: 'message.created'; message: Message })
  | (Happened & { kind: 'message.updated' | 'message.deleted'; message: Message })
  | (Happened & { kind: 'reaction.added' | 'reaction.removed'; message: Message; emoji: string })
  | (Happened & { kind: 'conversation.updated'; conversation: Conversation; message?: Message })
  | (Happened & {
      kind: 'conversation.created' | 'participant.joined' | 'participant.left' | 'participant.updated';
      conversation: Conversation;
      /** Whom it concerns, with `left: true` for who is not in it any more. */
      participants: Participant[];
      message?: Message;
    });

export type EventKind = ConversationEvent['kind'];

/**
 * What an event is told as: where a change brought a system message, the creation of that message comes first, then what
 * it tells of.
 */
export function kindsOf({ kind, message }: { kind: EventKind; message?: unknown }): EventKind[] {
  const isOfMessage = kind.startsWith('message.') || kind.startsWith('reaction.');
  return message === undefined || isOfMessage ? [kind] : ['message.created', kind];
}
