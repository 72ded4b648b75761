import type { ConversationEvent, Position } from './event.ts';
import type { EventHead } from './event-head.ts';

/** An event, and where its consumer stands once it is done. */
export interface PlacedEvent {
  event: ConversationEvent;
  /** What is kept of it where it is given up. */
  head: EventHead;
  position: Position;
}

/** What comes behind a position. */
export interface EventPage {
  /** In the order of `rev`; those that are not wanted are passed over. */
  events: PlacedEvent[];
  /** Where a consumer stands once all of these are done. */
  end: Position;
  /** Whether nothing was left behind `end` when this was read. */
  isWhole: boolean;
}
