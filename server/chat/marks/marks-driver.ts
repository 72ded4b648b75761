import type { Mark } from '../../../protocol/resources.ts';

/** How far somebody says that they have come in a conversation; 0 where they say nothing. */
export interface ClaimedMark {
  conversation_id: string;
  user_id: string;
  delivered_seq: number;
  read_seq: number;
}

/** The marks of one conversation that a batch moved. */
export interface MovedMarks {
  conversation_id: string;
  marks_rev: number;
  marks: Mark[];
}

/**
 * The drivers of marks: `sqlite-marks.ts` and `postgres-marks.ts`. A batch is one transaction or several, over conversations
 * and users in id order: after a failure some may be written, which their outbox rows tell. A mark never goes back, never
 * beyond the conversation's `seq`, and what was read was delivered; who is no participant has none. In each transaction each
 * conversation in which a mark moved takes one `marks_rev`, and one outbox row that says so.
 */
export interface MarksDriver {
  write(claims: ClaimedMark[]): Promise<MovedMarks[]>;
}
