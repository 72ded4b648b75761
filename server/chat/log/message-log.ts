import type { Message } from '../../../protocol/resources.ts';
import type { Bus } from '../../bus/bus.ts';
import type { Change } from '../../bus/news.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { messageBytes, type NoteStored } from '../usage/stored-bytes.ts';
import { GroupCommit, type GroupCommitOptions } from './group-commit.ts';
import { type AppendAnswer, type Appended, type AppendRow, BatchError, type LogDriver } from './log-driver.ts';

/** A message that was checked and may be appended. */
export interface NewMessage extends AppendRow {
  senderUsername: string;
  /** The name of who wrote the message that this one answers. */
  quotedUsername?: string;
  /** What the message that this one answers says, where it is a system message: it is made from the names of now. */
  quotedNote?: string;
  /** The socket that sent it, where one did. */
  origin?: number;
}

/** What the sender is told: the same for a retry as for the first time. */
export interface SendResult {
  id: string;
  conversation_id: string;
  client_id: string;
  seq: number;
  rev: number;
  sent_at: number;
  /** Whether the key was known, and so nothing was written now. */
  known: boolean;
}

export interface MessageLogOptions {
  driver: LogDriver;
  bus: Bus;
  log: Logger;
  queueLimit: number;
  /** A message that was appended a moment ago, as clients see it. */
  present(message: NewMessage, appended: Appended): Message;
  observe: GroupCommitOptions['observe'];
  /** Told of what each sender has stored by it. */
  noteStored?: NoteStored;
}

/** The one way in which people's messages get into the log: committed, then published, then acknowledged. */
export class MessageLog {
  private readonly commits: GroupCommit;
  private readonly bus: Bus;
  private readonly log: Logger;
  private readonly present: MessageLogOptions['present'];
  private readonly noteStored: NoteStored | undefined;

  constructor({ driver, bus, log, queueLimit, present, observe, noteStored }: MessageLogOptions) {
    this.noteStored = noteStored;
    this.bus = bus;
    this.log = log;
    this.present = present;
    const onCommitted = (rows: AppendRow[], answers: AppendAnswer[]) => {
      try {
        this.publish(rows as NewMessage[], answers);
      } catch (error) {
        log.error({ err: error }, 'messages that are stored could not be told: the outbox makes that good');
      }
    };
    this.commits = new GroupCommit(driver, { queueLimit, observe, onCommitted });
  }

  get queued(): number {
    return this.commits.queued;
  }

  /**
   * Resolves when the message is on stable storage. Fails with `conversation_not_found` for one who is no participant at
   * the commit, and with `unavailable` where it could not be written.
   */
  async append(message: NewMessage): Promise<SendResult> {
    const answer = await this.commits.append(message).catch((error) => this.refuse(error));
    if (answer.kind === 'not_found') throw new ParleyError('conversation_not_found');
    if (answer.kind === 'quoted_not_found') throw new ParleyError('message_not_found');
    const common = { conversation_id: message.conversationId, client_id: message.clientId };
    if (answer.kind === 'known') {
      const { id, seq, rev, sentAt } = answer;
      return { ...common, id, seq, rev, sent_at: sentAt, known: true };
    }
    return { ...common, id: message.id, seq: answer.seq, rev: answer.rev, sent_at: message.sentAt, known: false };
  }

  /** Resolves once all that was appended is written. */
  flush(): Promise<void> {
    return this.commits.flush();
  }

  private refuse(error: Error): never {
    if (!(error instanceof BatchError)) throw error;
    this.log.error({ err: error.cause }, 'messages could not be written');
    throw new ParleyError(error.rowAtFault ? 'internal' : 'unavailable', undefined, { cause: error });
  }

  /** One publication per conversation, however many messages of it a batch holds. */
  private publish(messages: NewMessage[], answers: AppendAnswer[]): void {
    const changes = new Map<string, Change[]>();
    for (const [index, message] of messages.entries()) {
      const answer = answers[index]!;
      if (answer.kind !== 'appended') continue;
      this.noteStored?.(message.senderId, messageBytes(message.content));
      const change = toChange(this.present(message, answer), message.origin);
      const others = changes.get(message.conversationId);
      if (others) others.push(change);
      else changes.set(message.conversationId, [change]);
    }
    for (const [id, list] of changes) {
      this.bus.publish(`conversation:${id}`, { conversation_id: id, changes: list });
    }
  }
}

function toChange(message: Message, origin: number | undefined): Change {
  return { rev: message.rev, seq: message.seq, frame: { event: 'message', ...message }, plain: message, origin };
}
