import type { Position } from '../chat/events/event.ts';
import type { EventFeed } from '../chat/events/feed.ts';

/** Conversations that are compared at once. */
const PAGE = 1000;

/** Where a consumer stands; without an entry: before everything. */
export interface Cursors {
  cursorsOf(conversationIds: string[]): Promise<Map<string, Position>>;
}

/**
 * Compares every conversation with the consumers' cursors in it and yields those in which one of them has more to be told,
 * in pages. The log and the cursors are what is true; outbox and stream only save this walk. It is made at the start, and
 * whenever hints may have been lost. It reads a row for each conversation, never messages.
 */
export async function* conversationsBehind(feed: EventFeed, consumers: Cursors[]): AsyncGenerator<string[]> {
  for await (const positions of feed.positions(PAGE)) {
    const ids = positions.map(({ id }) => id);
    const cursors = await Promise.all(consumers.map((consumer) => consumer.cursorsOf(ids)));
    const behind = positions.filter(({ id, rev }) => cursors.some((one) => rev > (one.get(id)?.rev ?? 0)));
    if (behind.length > 0) yield behind.map(({ id }) => id);
  }
}
