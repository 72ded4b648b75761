import type { PresenceStatus } from '../../protocol/resources.ts';
import type { Change, ConversationNews } from './news.ts';

/** What travels on each channel. */
export interface Channels {
  /** One conversation's changes: `conversation:<id>`. */
  [conversation: `conversation:${string}`]: ConversationNews;
  /** What concerns one user's sockets: `user:<id>`. */
  [user: `user:${string}`]: UserNews;
  /** Whether a user is there: `presence:<id>`. */
  [presence: `presence:${string}`]: PresenceNews;
  /** Sessions and accounts, heard by every node. */
  accounts: AccountNews;
}

/**
 * Somebody comes into a conversation at `rev`, or has left it. Nodes with sockets of who comes begin to listen to it. One that
 * was not heard to listen yet would miss the change itself, so that it comes along, unless it lets in so many that it is
 * large. Of who left a node hears by the conversation too, but for one that is only just finding out what they are in.
 */
export interface UserNews {
  kind: 'joining' | 'left';
  conversation_id: string;
  rev: number;
  change?: Change;
}

/** How a user is to be seen from now on. */
export interface PresenceNews {
  user_id: string;
  status: PresenceStatus;
  /** When they were last connected, in milliseconds since the Unix epoch; absent while they are. */
  last_seen_at?: number;
}

export type AccountNews =
  | { kind: 'sessions_ended'; user_id: string; session_ids: string[] }
  | { kind: 'user_changed'; user_id: string };

/**
 * Between the nodes, and inside each of them.
 *
 * What is published is heard by every subscriber of the channel, the publisher's own node included, at most once and in
 * the order in which one node published it. It may be lost: the outbox makes that good. Publishing never throws and never
 * waits.
 */
export interface Bus {
  publish<C extends keyof Channels & string>(channel: C, news: Channels[C]): void;
  /** Calls this node's own subscribers, and surely: for what the outbox tells, which every node reads for itself. */
  tellHere<C extends keyof Channels & string>(channel: C, news: Channels[C]): void;
  /** Calls `hear` for all that is published from now on, until the returned function is called. */
  subscribe<C extends keyof Channels & string>(channel: C, hear: (news: Channels[C]) => void): () => void;
  /**
   * Resolves when all that was subscribed to until now is heard from other nodes too; undefined where it is already.
   * What they published before may have been missed.
   */
  settled(): Promise<void> | undefined;
  close(): Promise<void>;
}
