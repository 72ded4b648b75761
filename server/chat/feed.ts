import type { Message } from '../../protocol/resources.ts';
import type { Database } from '../database/database.ts';
import type { ConversationRepository } from './conversation-repository.ts';
import type { MessageRepository } from './message-repository.ts';
import type { MessageReader } from './read-messages.ts';

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
    private readonly reader: MessageReader,
  ) {}

  /** A page of all conversations, in id order, behind `after`. */
  listPositions(limit: number, after?: string): Promise<Position[]> {
    return this.conversations.listPositions(limit, after);
  }

  async positionsOf(conversationIds: string[]): Promise<Map<string, number>> {
    const positions = await this.conversations.findPositions(conversationIds);
    return new Map(positions.map(({ id, seq }) => [id, seq]));
  }

  /** Messages as they stand now, from `seq` on, oldest first. */
  async messagesFrom(conversationId: string, seq: number, limit: number): Promise<Message[]> {
    const selection = this.messages.selectFrom(conversationId, seq, limit);
    return this.reader.present(await this.database.readTogether(this.messages.whole(selection)));
  }
}
