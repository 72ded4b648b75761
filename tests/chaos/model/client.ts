import type { Conversation, Message, Participant } from '../../../protocol/resources.ts';
import type { Network } from './network.ts';
import type { Person } from './person.ts';

/** What a store holds of a conversation, or what a fresh read shows of it. */
export interface ConversationCopy {
  conversation: Conversation;
  /** Who is in it, with their marks. */
  participants: readonly Participant[];
  last_message: Message | undefined;
  unread_count: number;
  read_seq: number;
  /** Oldest first; a store may begin later than the history does. */
  messages: Message[];
}

/** All that somebody is in, by id. */
export type Snapshot = Map<string, ConversationCopy>;

/** A client whose store must come to equal a fresh read: what the model needs of one. */
export interface ModelClient {
  readonly person: Person;
  readonly network: Network;
  /** Why it believes that its session is over, which it never is. */
  readonly signedOutBy: string | undefined;
  /** Resolves when it is connected and up to date for the first time. */
  start(): Promise<void>;
  /** Asks for the messages of all conversations that it knows and has none of. */
  openAll(): void;
  /** Hands a message to the outbox; it goes when it can. */
  send(conversationId: string, content: string, replyTo?: string): void;
  read(conversationId: string, seq: number): void;
  /** Whether it is connected, and knows of nothing that it has yet to send. */
  readonly isQuiet: boolean;
  snapshot(): Snapshot;
  close(): Promise<void>;
}

export type CreateClient = (person: Person) => ModelClient;
