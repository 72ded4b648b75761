import { DELETED_USER } from '../../protocol/limits.ts';
import type { Message, Reaction, ReplyTo } from '../../protocol/resources.ts';
import { excerptOf } from '../../protocol/text.ts';
import type { Executor } from '../database/database.ts';
import type { UsersService } from '../users/service.ts';
import type { MessageRepository, ReactionRow } from './message-repository.ts';
import type { MessageRow } from './model.ts';
import { presentMessage, type Users } from './presenter.ts';

/** For whom messages are read: `me` marks their own reactions. A frame for many has nobody in particular. */
export interface ReadOptions {
  callerId?: string;
  /** The transaction whose own changes are to be seen. */
  tx?: Executor;
}

/** Messages as clients see them, whole: with names, reactions and what they answer, in a handful of queries. */
export class MessageReader {
  constructor(
    private readonly repository: MessageRepository,
    private readonly users: UsersService,
  ) {}

  async present(rows: MessageRow[], options: ReadOptions = {}): Promise<Message[]> {
    if (rows.length === 0) return [];
    const [reactions, quoted] = await Promise.all([
      this.repository.listReactions(rows, options.callerId, options.tx),
      this.repository.listQuoted(rows, options.tx),
    ]);
    const users = await this.users.publicUsers([...rows, ...quoted].map((row) => row.sender_id));
    const reactionsOf = groupReactions(reactions, options.callerId);
    const quotes = new Map(quoted.map((row) => [row.id, presentQuote(row, users)]));
    return rows.map((row) =>
      presentMessage(row, users, {
        reactions: reactionsOf.get(row.id),
        reply_to: row.reply_to_id === null ? undefined : quotes.get(row.reply_to_id),
      }),
    );
  }

  async presentOne(row: MessageRow, options?: ReadOptions): Promise<Message> {
    const [message] = await this.present([row], options);
    return message!;
  }
}

function presentQuote(row: MessageRow, users: Users): ReplyTo {
  const sender_username = users.get(row.sender_id)?.username ?? DELETED_USER;
  return { id: row.id, sender_id: row.sender_id, sender_username, excerpt: excerptOf(row.content) };
}

/** The kinds of each message in the order in which they first came, the first users of each. */
function groupReactions(rows: ReactionRow[], callerId: string | undefined): Map<string, Reaction[]> {
  const byMessage = new Map<string, Map<string, Reaction>>();
  for (const { message_id, emoji, user_id, total, isShown } of rows) {
    const kinds = byMessage.get(message_id) ?? new Map<string, Reaction>();
    byMessage.set(message_id, kinds);
    const kind = kinds.get(emoji) ?? { emoji, count: total, user_ids: [] };
    kinds.set(emoji, kind);
    if (isShown) kind.user_ids.push(user_id);
    if (user_id === callerId) kind.me = true;
  }
  return new Map([...byMessage].map(([id, kinds]) => [id, [...kinds.values()]]));
}
