import type { Message } from '../../../protocol/resources.ts';
import type { Database } from '../../database/database.ts';
import type { ConversationRepository } from '../conversations/conversation-repository.ts';
import type { MessagePresenter } from './message-presenter.ts';
import type { MessageRepository } from './message-repository.ts';

/** Where a conversation stands: the number of its newest message. */
export interface Position {
  id: string;
  seq: number;
}

/** All conversations, for the program's own consumers of messages: nobody's membership is asked. Nothing of it may reach a client. */
export class MessageFeed {
  constructor(
    private readonly database: Database,
    private readonly conversations: ConversationRepository,
    private readonly messages: MessageRepository,
    private readonly presenter: MessagePresenter,
  ) {}

  /** Where every conversation stands, in id order, in pages of so many; the next is read when it is asked for. */
  async *positions(pageSize: number): AsyncGenerator<Position[]> {
    let after: string | undefined;
    for (;;) {
      const page = await this.conversations.listPositions(pageSize, after);
      if (page.length === 0) return;
      after = page.at(-1)!.id;
      yield page;
    }
  }

  async positionsOf(conversationIds: string[]): Promise<Map<string, number>> {
    const positions = await this.conversations.findPositions(conversationIds);
    return new Map(positions.map(({ id, seq }) => [id, seq]));
  }

  /** Messages as they stand now, from `seq` on, oldest first. */
  async messagesFrom(conversationId: string, seq: number, limit: number): Promise<Message[]> {
    const selection = this.messages.selectFrom(conversationId, seq, limit);
    return this.presenter.present(await this.database.readTogether(this.messages.whole(selection)));
  }
}
