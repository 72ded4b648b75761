import type { FrameOf } from '../../../protocol/events.ts';
import { PART_OF_RECEIPTS } from '../../../protocol/limits.ts';

type Frame = FrameOf<'receipts'>;

/** Marks that are told in one go, times the sockets that hear them: about a millisecond of the event loop. */
const MAX_AT_ONCE = 10_000;
/** Over how long the marks of a batch are spread, in milliseconds: all are told before the next batch is due. */
const SPREAD_MS = 800;

interface Spread {
  /** What is still to be told, in order. */
  parts: Frame[];
  timer: Timer;
}

/**
 * Tells the marks of a large group in parts, spread over the second until the next batch: a frame of hundreds of marks to
 * hundreds of sockets would hold up every message behind it. Only the last part has the `marks_rev` of the batch, and
 * whoever hears it has heard the others: before anybody else begins to listen, `flush` has to be called.
 */
export class SpreadReceipts {
  private readonly spreads = new Map<string, Spread>();

  constructor(private readonly publish: (topic: string, frame: Frame) => void) {}

  /** Tells marks to those who listen to a topic, after all that is still to be told there. */
  tell(topic: string, receipts: Frame, listeners: number): void {
    this.flush(topic);
    const [first, ...rest] = split(receipts, Math.max(1, Math.floor(MAX_AT_ONCE / Math.max(1, listeners))));
    this.publish(topic, first!);
    if (rest.length === 0) return;
    const timer = setInterval(() => this.tellNext(topic), SPREAD_MS / rest.length);
    this.spreads.set(topic, { parts: rest, timer });
  }

  /** Tells at once what is still to be told on a topic. */
  flush(topic: string): void {
    for (const part of this.end(topic)) this.publish(topic, part);
  }

  /** Leaves untold what is still to be told: nobody listens any more. */
  drop(topic: string): void {
    this.end(topic);
  }

  private tellNext(topic: string): void {
    const { parts } = this.spreads.get(topic)!;
    const part = parts.shift()!;
    if (parts.length === 0) this.end(topic);
    this.publish(topic, part);
  }

  private end(topic: string): Frame[] {
    const spread = this.spreads.get(topic);
    if (!spread) return [];
    clearInterval(spread.timer);
    this.spreads.delete(topic);
    return spread.parts;
  }
}

function split(receipts: Frame, size: number): Frame[] {
  const parts: Frame[] = [];
  for (let start = 0; start < receipts.marks.length; start += size) {
    parts.push({ ...receipts, marks_rev: PART_OF_RECEIPTS, marks: receipts.marks.slice(start, start + size) });
  }
  if (parts.length === 0) return [receipts];
  parts.at(-1)!.marks_rev = receipts.marks_rev;
  return parts;
}
