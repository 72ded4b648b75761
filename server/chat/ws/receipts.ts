import type { FrameOf } from '../../../protocol/events.ts';
import type { Mark } from '../../../protocol/resources.ts';
import type { Logger } from '../../monitoring/logger.ts';
import type { LocalConversation } from './local-conversation.ts';
import type { LocalUser } from './local-user.ts';
import { SpreadReceipts } from './spread-receipts.ts';

export interface ReceiptsOptions {
  log: Logger;
  /** The marks that moved in a conversation since a `marks_rev`. */
  marksSince(conversationId: string, marksRev: number): Promise<Mark[]>;
  /** Tells all sockets that listen to a topic. */
  publish(topic: string, frame: FrameOf<'receipts'>): void;
  /** How many sockets listen to a topic. */
  listeners(topic: string): number;
  /** Tells one user's sockets, where they are in the conversation. */
  sendTo(user: LocalUser, conversation: LocalConversation, frame: FrameOf<'receipts'>): void;
}

/** Tells the sockets of this node how far people have come: what was just written, and what was not heard. */
export class Receipts {
  private readonly spread: SpreadReceipts;

  constructor(private readonly options: ReceiptsOptions) {
    this.spread = new SpreadReceipts(options.publish);
  }

  /** Tells a batch that was just written, here or on another node. */
  tell(conversation: LocalConversation, receipts: FrameOf<'receipts'>): void {
    this.publish(conversation, receipts);
    conversation.toldMarks(receipts.marks_rev);
  }

  /** The log says that marks moved: what of them was not heard here is told. */
  async catchUp(conversation: LocalConversation, marks_rev: number): Promise<void> {
    if (conversation.marksRev >= marks_rev) return;
    try {
      // Read after the log said so: they are at least as new.
      const marks = await this.options.marksSince(conversation.id, conversation.marksRev);
      conversation.marksRev = Math.max(conversation.marksRev, marks_rev);
      if (marks.length > 0) this.publish(conversation, frameOf(conversation.id, marks_rev, marks));
    } catch (error) {
      this.failed(conversation, error);
    }
  }

  /**
   * Tells those who begin to hear a conversation its marks: their clients may have read of it before, and receipts that
   * came in between are in no `rev` that they could miss.
   */
  async tellNewcomers(conversation: LocalConversation, users: LocalUser[]): Promise<void> {
    if (users.length === 0) return;
    const { id, marksRev } = conversation;
    try {
      const marks = await this.options.marksSince(id, 0);
      if (marks.length === 0) return;
      for (const user of users) this.options.sendTo(user, conversation, frameOf(id, marksRev, marks));
    } catch (error) {
      this.failed(conversation, error);
    }
  }

  /** To be called before a socket begins to listen to a topic. */
  beforeListening({ topic }: LocalConversation): void {
    this.spread.flush(topic);
  }

  /** Nobody here is in the conversation any more. */
  forget({ topic }: LocalConversation): void {
    this.spread.drop(topic);
  }

  private publish({ topic }: LocalConversation, receipts: FrameOf<'receipts'>): void {
    this.spread.tell(topic, receipts, this.options.listeners(topic));
  }

  private failed({ id }: LocalConversation, error: unknown): void {
    this.options.log.warn({ err: error, conversation_id: id }, 'marks could not be told');
  }
}

function frameOf(conversation_id: string, marks_rev: number, marks: Mark[]): FrameOf<'receipts'> {
  return { event: 'receipts', conversation_id, marks_rev, marks };
}
