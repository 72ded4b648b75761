import type { FrameOf } from '../../protocol/events.ts';
import type { Logger } from '../shared/logger.ts';
import type { ConversationSource } from './conversation-source.ts';
import type { LocalConversation } from './local-conversation.ts';
import type { LocalUser } from './local-user.ts';
import { SpreadReceipts, type SpreadReceiptsOptions } from './spread-receipts.ts';

export interface ReceiptsOptions extends SpreadReceiptsOptions {
  log: Logger;
  marksSince: ConversationSource['marksSince'];
  /** Tells one user's sockets, where they are in the conversation. */
  sendTo(user: LocalUser, conversation: LocalConversation, frame: FrameOf<'receipts'>): void;
}

/** Tells the sockets of this node how far people have come: what was just written, and what was not heard. */
export class Receipts {
  private readonly spread: SpreadReceipts;

  constructor(private readonly options: ReceiptsOptions) {
    this.spread = new SpreadReceipts(options);
  }

  /** Tells a batch that was just written, here or on another node. */
  tell(conversation: LocalConversation, receipts: FrameOf<'receipts'>): void {
    this.spread.tell(receipts);
    conversation.toldMarks(receipts.marks_rev);
  }

  /** The log says that marks moved: what of them was not heard here is told. */
  async catchUp(conversation: LocalConversation, marks_rev: number): Promise<void> {
    try {
      while (conversation.marksRev < marks_rev) {
        const since = conversation.marksRev;
        // Read after the log said so: they are at least as new.
        const page = await this.options.marksSince(conversation.id, since);
        const to = page.has_more ? page.marks_rev : Math.max(page.marks_rev, marks_rev);
        conversation.marksRev = Math.max(conversation.marksRev, to);
        if (page.marks.length > 0) {
          this.spread.tell(frameOf(conversation.id, { marks_rev: to, since, marks: page.marks }));
        }
      }
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
    try {
      let since = 0;
      let hasMore = true;
      while (hasMore) {
        const { marks, marks_rev, has_more } = await this.options.marksSince(conversation.id, since);
        const frame = frameOf(conversation.id, { marks_rev, since, marks });
        if (marks.length > 0) for (const user of users) this.options.sendTo(user, conversation, frame);
        since = marks_rev;
        hasMore = has_more;
      }
    } catch (error) {
      this.failed(conversation, error);
    }
  }

  /** Nobody here is in the conversation any more. */
  forget({ id }: LocalConversation): void {
    this.spread.drop(id);
  }

  private failed({ id }: LocalConversation, error: unknown): void {
    this.options.log.warn({ err: error, conversation_id: id }, 'marks could not be told');
  }
}

function frameOf(
  conversation_id: string,
  told: Pick<FrameOf<'receipts'>, 'marks_rev' | 'since' | 'marks'>,
): FrameOf<'receipts'> {
  return { event: 'receipts', conversation_id, ...told };
}
