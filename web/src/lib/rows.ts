import type { MessageView } from '../sdk.ts';
import { dayOf } from './time.ts';

/** One message of the history, with what stands above it. */
export interface Row {
  key: string;
  message: MessageView;
  /** The day, where it begins with this message. */
  day: number | undefined;
  /** The *new messages* line stands above this one. */
  isFirstNew: boolean;
  /** First and last of what one person said in a row. */
  isHead: boolean;
  isTail: boolean;
}

/** Messages of one person that are further apart than this are two groups, in milliseconds. */
const GROUP_MS = 5 * 60_000;

/**
 * The rows for a part of the messages. `newFrom` is the first unread `seq` of when the person came; a row that is as it was
 * keeps its identity, so that only what changed is drawn again.
 */
export function rowsOf(
  messages: readonly MessageView[],
  range: { start: number; end: number },
  newFrom: number | undefined,
  before: ReadonlyMap<string, Row>,
): Row[] {
  const rows: Row[] = [];
  let lineIsDrawn = range.start > 0 && isNew(messages[range.start - 1]!, newFrom);
  for (let at = range.start; at < range.end; at++) {
    const message = messages[at]!;
    const above = messages[at - 1];
    const below = messages[at + 1];
    const isFirstNew = !lineIsDrawn && isNew(message, newFrom);
    lineIsDrawn ||= isFirstNew;
    const row: Row = {
      key: message.key,
      message,
      day: above && dayOf(above.sent_at) === dayOf(message.sent_at) ? undefined : dayOf(message.sent_at),
      isFirstNew,
      isHead: isFirstNew || !above || !belong(above, message),
      isTail: !below || !belong(message, below) || (!lineIsDrawn && isNew(below, newFrom)),
    };
    const known = before.get(row.key);
    rows.push(known && isSame(known, row) ? known : row);
  }
  return rows;
}

function isNew(message: MessageView, newFrom: number | undefined): boolean {
  return newFrom !== undefined && !message.mine && message.seq >= newFrom;
}

function belong(one: MessageView, next: MessageView): boolean {
  return (
    one.sender_id === next.sender_id &&
    one.type !== 'system' &&
    next.type !== 'system' &&
    next.sent_at - one.sent_at < GROUP_MS &&
    dayOf(one.sent_at) === dayOf(next.sent_at)
  );
}

function isSame(one: Row, other: Row): boolean {
  return (Object.keys(one) as (keyof Row)[]).every((key) => one[key] === other[key]);
}
