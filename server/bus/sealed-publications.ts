import type { Seal } from '../redis/seal.ts';

/** Letters of a longer one are given to no other node, and read from none: it learns of it from the outbox. */
export const MAX_PUBLICATION = 2 * 1024 * 1024;
/** One that was made longer ago, or is yet to be made, is not believed: by the clock that nodes share, in milliseconds. */
export const FRESH_MS = 5000;
/** The letters of a node's name at the head of what it publishes, so that it knows its own without reading them. */
const NAME_LENGTH = 8;
/** Digits of a stamp: microseconds since the Unix epoch. */
const STAMP_LENGTH = 16;
const HEAD_LENGTH = NAME_LENGTH + STAMP_LENGTH;
/** Beyond so many nodes that were heard, those that have been silent for long are forgotten. */
const MAX_NODES = 100;

/** The time that nodes share, in milliseconds. */
export interface Clock {
  now(): number;
}

export type Opened = { text: string } | { refused: 'forged' | 'late' | 'repeated' | 'oversized' };

/**
 * What one node publishes, as the others believe it: `<node><stamp><seal><text>`.
 *
 * The seal says that a node of this installation published this text on this channel. The stamp says when, and goes up with
 * each publication of a node. Redis hands a node's publications on in their order, so that one with a stamp that is not above
 * the last is a repetition; and what a node hears from another for the first time is no older than `FRESH_MS`.
 */
export class SealedPublications {
  private readonly node = Bun.randomUUIDv7().slice(-NAME_LENGTH);
  private stamp = 0;
  /** The last stamp that was heard of each node. */
  private readonly heard = new Map<string, number>();

  constructor(
    private readonly seal: Seal,
    private readonly clock: Clock,
  ) {}

  /** What to publish; undefined for what is too long for it. */
  close(channel: string, text: string): string | undefined {
    if (text.length > MAX_PUBLICATION) return undefined;
    this.stamp = Math.max(this.stamp + 1, this.now());
    const head = this.node + String(this.stamp).padStart(STAMP_LENGTH, '0');
    return head + this.seal.of(channel, head, text) + text;
  }

  /** Whether this node published it itself, as far as it says. */
  isOwn(publication: string): boolean {
    return publication.startsWith(this.node);
  }

  open(channel: string, publication: string): Opened {
    const textAt = HEAD_LENGTH + this.seal.length;
    if (publication.length > MAX_PUBLICATION + textAt) return { refused: 'oversized' };
    const head = publication.slice(0, HEAD_LENGTH);
    const text = publication.slice(textAt);
    if (!this.seal.holds(publication.slice(HEAD_LENGTH, textAt), channel, head, text)) return { refused: 'forged' };
    const node = head.slice(0, NAME_LENGTH);
    const stamp = Number(head.slice(NAME_LENGTH));
    if (Math.abs(this.now() - stamp) > FRESH_MS * 1000) return { refused: 'late' };
    if (stamp <= (this.heard.get(node) ?? 0)) return { refused: 'repeated' };
    this.heard.set(node, stamp);
    if (this.heard.size > MAX_NODES) this.forgetSilent();
    return { text };
  }

  /** What they said last is late by now: nobody can repeat it. */
  private forgetSilent(): void {
    const oldest = this.now() - 2 * FRESH_MS * 1000;
    for (const [node, stamp] of this.heard) if (stamp < oldest) this.heard.delete(node);
  }

  private now(): number {
    return Math.round(this.clock.now() * 1000);
  }
}
