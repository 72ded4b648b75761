import type { ServerFrame } from '../../protocol/events.ts';
import type { Message } from '../../protocol/resources.ts';

/** One change of a conversation, as every node needs it to tell its sockets. */
export interface Change {
  rev: number;
  /** The number of its message, where it brings a new one. */
  seq?: number;
  /** The frame for `parley.v1`. */
  frame: ServerFrame;
  /** The message for plain mode, where a person wrote one. */
  plain?: Message;
  /** Who is in from this change on. */
  joined?: string[];
  /** Who hears this change, and then nothing more. */
  left?: string[];
  /** The socket, on the publishing node, that sent it: plain mode does not hear itself. */
  origin?: number;
}

/** What is told of one conversation. */
export interface ConversationNews {
  conversation_id: string;
  /** In the order of their `rev`. */
  changes?: Change[];
  /** Frames that stand in no order and are in no log: receipts, typing. */
  signals?: ServerFrame[];
}
