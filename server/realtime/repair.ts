import type { FrameOf } from '../../protocol/events.ts';
import { MAX_CHANGES_FRAME_BYTES } from '../../protocol/limits.ts';
import type { Changes, Message, Participant } from '../../protocol/resources.ts';
import type { Logger } from '../shared/logger.ts';
import type { ConversationSource } from './conversation-source.ts';
import type { LocalConversation } from './local-conversation.ts';

/** Messages of one `changes` frame; a reader who lags a little behind has room for it. */
const CHUNK = 200;
/** After how long a repair that failed is tried again, in milliseconds. */
const RETRY_MS = 1000;

export interface RepairOptions {
  log: Logger;
  changesSince: ConversationSource['changesSince'];
  /** Tells what the live stream could not give one by one. */
  tell(conversation: LocalConversation, told: ToldChanges): void;
}

/** A stretch of changes that is told as one frame. */
export interface ToldChanges {
  frame: FrameOf<'changes'>;
  joined: string[];
  left: Participant[];
  /** People's new messages in it, for plain mode. */
  plain: Message[];
}

/** Makes good what a conversation missed, from the log: the bus is only speed (PROTOCOL.md §7.5). */
export class Repair {
  constructor(private readonly options: RepairOptions) {}

  /** Starts a repair, unless one is under way; a failed one tries again while the gap is there. */
  start(conversation: LocalConversation): void {
    if (conversation.repairing || conversation.users === 0) return;
    conversation.repairing = true;
    void this.run(conversation);
  }

  private async run(conversation: LocalConversation): Promise<void> {
    let failed = false;
    try {
      await this.catchUp(conversation);
    } catch (error) {
      this.options.log.warn({ err: error, conversation_id: conversation.id }, 'a repair failed: trying again');
      failed = true;
    }
    conversation.repairing = false;
    // Never at once: what the log could not give now, it cannot give in the next moment either.
    if (failed || conversation.hasGap) setTimeout(() => this.start(conversation), RETRY_MS);
  }

  private async catchUp(conversation: LocalConversation): Promise<void> {
    let hasMore = true;
    while (hasMore && conversation.users > 0) {
      const query = { since: conversation.rev, limit: CHUNK, bytes: MAX_CHANGES_FRAME_BYTES };
      const changes = await this.options.changesSince(conversation.id, query);
      if (!changes) return;
      if (changes.rev > conversation.rev) this.tell(conversation, above(conversation.rev, changes));
      hasMore = changes.has_more;
    }
  }

  private tell(conversation: LocalConversation, changes: Changes): void {
    const { rev: since, seq } = conversation;
    const isNew = (message: Message) => seq !== undefined && message.seq > seq;
    const plain = changes.messages
      .filter((message) => isNew(message) && message.type !== 'system' && message.deleted_at === undefined)
      .sort((one, other) => one.seq - other.seq);
    const participants = changes.participants ?? [];
    this.options.tell(conversation, {
      frame: { event: 'changes', conversation_id: conversation.id, since, ...changes },
      joined: participants.filter((one) => !one.left).map((one) => one.id),
      left: participants.filter((one) => one.left),
      plain,
    });
    const seqs = changes.messages.map((message) => message.seq);
    conversation.skipTo(changes.rev, seqs.length > 0 ? Math.max(...seqs) : undefined);
  }
}

/** While the log answered, what was missing may have come by itself, and more behind it: that is not told twice. */
function above(rev: number, changes: Changes): Changes {
  const isNew = (one: { rev: number }) => one.rev > rev;
  const participants = changes.participants?.filter(isNew) ?? [];
  return {
    ...changes,
    messages: changes.messages.filter(isNew),
    participants: participants.length > 0 ? participants : undefined,
  };
}
