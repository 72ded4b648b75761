import { DELETED_USER } from '../../../protocol/limits.ts';
import type { Message, Reaction, ReplyTo } from '../../../protocol/resources.ts';
import { namedIn } from '../../../protocol/system-text.ts';
import { excerptOf } from '../../../protocol/text.ts';
import type { Executor, RowsOf } from '../../database/database.ts';
import type { UsersService } from '../../users/service.ts';
import { noteOf, presentMessage, shownContent, type Users } from '../model/presenter.ts';
import type { MessageRow } from '../model/rows.ts';
import type { MessageRepository, QuotedRow, ReactionRow, WholeQueries } from './message-repository.ts';

/** Messages as clients see them, whole: with names, reactions and what they answer. */
export class MessagePresenter {
  constructor(
    private readonly repository: MessageRepository,
    private readonly users: UsersService,
  ) {}

  /** Presents what `MessageRepository.whole` asks for, in the order of its messages. */
  async present([messages, reactions, quoted]: RowsOf<WholeQueries>): Promise<Message[]> {
    if (messages.length === 0) return [];
    const named = new Set<string>();
    for (const row of messages) addNamed(row, named);
    for (const row of quoted) addNamed(row, named);
    const users = await this.users.publicUsers(named);
    const reactionsOf = groupReactions(reactions);
    const quotes = new Map(quoted.map((row) => [row.id, presentQuote(row, users)]));
    return messages.map((row) =>
      presentMessage(row, users, {
        reactions: reactionsOf.get(row.id),
        reply_to: row.reply_to_id === null ? undefined : quotes.get(row.reply_to_id),
      }),
    );
  }

  /** A message as it stands in a transaction, its own changes included, for everybody. */
  async presentIn(tx: Executor, message: MessageRow): Promise<Message> {
    const selection = this.repository.selectOne(message.conversation_id, message.id);
    const [reactions, quoted] = this.repository.shownWith(selection);
    const shown = await Promise.all([tx.executeQuery(reactions), tx.executeQuery(quoted)]);
    const [presented] = await this.present([[message], shown[0].rows, shown[1].rows]);
    return presented!;
  }
}

/** Adds those whose names a message shows. */
function addNamed(row: Pick<MessageRow, 'sender_id' | 'system'>, named: Set<string>): void {
  named.add(row.sender_id);
  const note = noteOf(row);
  if (note) for (const id of namedIn(note)) named.add(id);
}

function presentQuote(row: QuotedRow, users: Users): ReplyTo {
  const sender_username = users.get(row.sender_id)?.username ?? DELETED_USER;
  return { id: row.id, sender_id: row.sender_id, sender_username, excerpt: excerptOf(shownContent(row, users)) };
}

/** With those who reacted, kinds come in the order of their first. */
function firstReactedFirst(one: ReactionRow, other: ReactionRow): number {
  return one.created_at - other.created_at || compare(one.emoji, other.emoji) || compare(one.user_id, other.user_id);
}

/** As the database compares them: by their bytes. */
function compare(one: string, other: string): number {
  return one === other ? 0 : Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** The kinds of each message in the order in which they first came, the first users of each. */
function groupReactions(rows: ReactionRow[]): Map<string, Reaction[]> {
  const byMessage = new Map<string, Map<string, Reaction>>();
  for (const { message_id, emoji, user_id, total, is_own } of rows.sort(firstReactedFirst)) {
    const kinds = byMessage.get(message_id) ?? new Map<string, Reaction>();
    byMessage.set(message_id, kinds);
    const kind = kinds.get(emoji) ?? { emoji, count: Number(total), user_ids: [] };
    kinds.set(emoji, kind);
    kind.user_ids.push(user_id);
    if (is_own) kind.me = true;
  }
  return new Map([...byMessage].map(([id, kinds]) => [id, [...kinds.values()]]));
}
