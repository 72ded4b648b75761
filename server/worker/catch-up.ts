import type { MessageFeed } from '../chat/messages/feed.ts';
import type { JobRepository } from './repository.ts';

/** Conversations that are compared at once. */
const PAGE = 1000;

/**
 * Compares every conversation with the consumer's cursor in it and yields those that have more, in pages. The log and the
 * cursors are what is true; outbox and stream only save this walk. It is made at the start, and whenever hints may have
 * been lost. It reads a row for each conversation, never messages.
 */
export async function* conversationsBehind(feed: MessageFeed, repository: JobRepository): AsyncGenerator<string[]> {
  for await (const positions of feed.positions(PAGE)) {
    const cursors = await repository.cursorsBetween(positions[0]!.id, positions.at(-1)!.id);
    const behind = positions.filter(({ id, seq }) => seq > (cursors.get(id) ?? 0));
    if (behind.length > 0) yield behind.map(({ id }) => id);
  }
}
