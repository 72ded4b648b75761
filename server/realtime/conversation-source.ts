import type { Changes, Head, Mark } from '../../protocol/resources.ts';

/** Where a conversation stands. */
export type Standing = Pick<Head, 'id' | 'seq' | 'rev' | 'marks_rev'>;

/** Marks that moved, up to `marks_rev`; more come after it where there are any. */
export interface MarksPage {
  marks: Mark[];
  marks_rev: number;
  has_more: boolean;
}

/** What sockets are told from: the conversations, as the log has them at this moment. */
export interface ConversationSource {
  /** Which conversations a user is in, with the `rev` at which each stands. */
  listHeads(userId: string): Promise<Standing[]>;
  /** Where a conversation stands, if the user is in it at this moment. */
  findHead(userId: string, conversationId: string): Promise<Standing | undefined>;
  /** What changed in a conversation since a `rev`, `limit` messages at most; undefined where there is none. */
  changesSince(
    conversationId: string,
    query: { since: number; limit: number; bytes?: number },
  ): Promise<Changes | undefined>;
  /** A page of the marks that moved in a conversation since a `marks_rev`. */
  marksSince(conversationId: string, marksRev: number): Promise<MarksPage>;
  /** The name that a user goes by now. */
  usernameOf(userId: string): Promise<string | undefined>;
}
