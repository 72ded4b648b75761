import { excerptOf } from '../../protocol/text.ts';
import type { MessageChanges } from '../changes.ts';
import { ParleyError } from '../errors.ts';
import type { Outbox, Sending } from '../outbox.ts';
import type { Message, ReplyTo } from '../protocol.ts';
import type { Session } from '../session.ts';
import type { Store } from '../store/store.ts';
import type { Typing } from '../typing.ts';

/** @internal */
export interface MessagesOptions {
  session: Session;
  store: Store;
  outbox: Outbox;
  changes: MessageChanges;
  typing: Typing;
}

/** Writing messages, and changing those that stand. */
export class Messages {
  /** @internal */
  constructor(private readonly options: MessagesOptions) {}

  /** Writes a message. It is shown at once, and sent once, in order, as soon as there is a connection. */
  send(conversationId: string, content: string, options: { replyTo?: string } = {}): Sending {
    const { session, typing, outbox } = this.options;
    if (!session.user) throw new ParleyError('signed_out');
    const reply_to = options.replyTo === undefined ? undefined : this.quote(conversationId, options.replyTo);
    typing.sent(conversationId);
    return outbox.add({ conversation_id: conversationId, content, reply_to });
  }

  /** Sends a failed message again. */
  retry(clientId: string): Promise<void> {
    return this.options.outbox.retry(clientId);
  }

  /** Gives a failed message up. */
  discard(clientId: string): Promise<void> {
    return this.options.outbox.discard(clientId);
  }

  /** Edits a message of one's own, unless it was changed meanwhile (`stale`). */
  edit(conversationId: string, messageId: string, content: string): Promise<Message> {
    return this.options.changes.edit(conversationId, messageId, content);
  }

  /**
   * Deletes a message, of one's own or as an admin of the group (`forbidden`). It is shown at once, and taken back where it
   * fails.
   */
  delete(conversationId: string, messageId: string): Promise<Message> {
    return this.options.changes.delete(conversationId, messageId);
  }

  /**
   * Adds one's reaction, a single emoji. It is shown at once, and taken back where it fails, as with `stale` where the
   * message is deleted.
   */
  react(conversationId: string, messageId: string, emoji: string): Promise<Message> {
    return this.options.changes.react(conversationId, messageId, emoji, true);
  }

  /** Takes one's reaction away; shown at once, as with `react`. */
  unreact(conversationId: string, messageId: string, emoji: string): Promise<Message> {
    return this.options.changes.react(conversationId, messageId, emoji, false);
  }

  private quote(conversationId: string, messageId: string): ReplyTo {
    const quoted = this.options.store.get(conversationId)?.message(messageId);
    const { sender_id = '', sender_username = '', content = '' } = quoted ?? {};
    return { id: messageId, sender_id, sender_username, excerpt: excerptOf(content) };
  }
}
