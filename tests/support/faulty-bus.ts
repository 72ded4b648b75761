import type { Bus, Channels } from '../../server/bus/bus.ts';
import { Random } from './random.ts';

/** How often publications are lost, held back or let pass by later ones: shares of 1, decided by a seed. */
export interface FaultPlan {
  seed: number;
  lose: number;
  delay: number;
  reorder: number;
}

/** The longest that a publication is held back, and that one waits for another to pass it, in milliseconds. */
const MAX_DELAY_MS = 300;
const MAX_HOLD_MS = 100;

/** Every kind of channel. What is lost on them the outbox makes good, or may be lost: typing, and who is there. */
const TARGETS = ['conversation', 'user', 'presence', 'accounts'];

/** A channel in trouble. */
interface Trouble {
  /** What waits for a delay to end, in order; undefined where there is none. */
  delayed?: unknown[];
  /** What waits for the next to pass it. */
  held?: { news: unknown; timer: Timer };
}

/** A bus that breaks its promises on purpose: it loses, delays and reorders, from a seed, and counts what it did. */
export class FaultyBus implements Bus {
  /** `lost conversation`, `delayed user`, … */
  readonly counts: Record<string, number> = {};
  private readonly troubles = new Map<string, Trouble>();
  private readonly timers = new Set<Timer>();
  private plan: FaultPlan | undefined;
  private random = new Random(0);

  constructor(private readonly inner: Bus) {}

  /** From now on these faults; none: what waits is let go at once, and all goes well. */
  setPlan(plan: FaultPlan | undefined): void {
    this.plan = plan;
    if (plan) this.random = new Random(plan.seed);
    else for (const channel of [...this.troubles.keys()]) this.letGo(channel);
  }

  publish<C extends keyof Channels & string>(channel: C, news: Channels[C]): void {
    const kind = channel.split(':')[0]!;
    const fault = this.plan && TARGETS.includes(kind) ? this.chooseFault(this.plan) : undefined;
    if (fault) {
      const name = `${fault} ${kind}`;
      this.counts[name] = (this.counts[name] ?? 0) + 1;
    }
    if (fault === 'lost') return;
    const trouble = this.troubles.get(channel);
    if (trouble?.delayed) trouble.delayed.push(news);
    else if (fault === 'delayed') this.delay(channel, news);
    else if (fault === 'reordered' && !trouble?.held) this.hold(channel, news);
    else {
      this.inner.publish(channel, news);
      if (trouble?.held) this.letGo(channel);
    }
  }

  tellHere<C extends keyof Channels & string>(channel: C, news: Channels[C]): void {
    this.inner.tellHere(channel, news);
  }

  subscribe<C extends keyof Channels & string>(channel: C, hear: (news: Channels[C]) => void): () => void {
    return this.inner.subscribe(channel, hear);
  }

  settled(): Promise<void> | undefined {
    return this.inner.settled();
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    await this.inner.close();
  }

  private chooseFault({ lose, delay, reorder }: FaultPlan): 'lost' | 'delayed' | 'reordered' | undefined {
    const roll = this.random.next();
    if (roll < lose) return 'lost';
    if (roll < lose + delay) return 'delayed';
    return roll < lose + delay + reorder ? 'reordered' : undefined;
  }

  private delay(channel: string, news: unknown): void {
    const trouble = this.troubles.get(channel) ?? {};
    trouble.delayed = [news];
    this.troubles.set(channel, trouble);
    this.later(channel, 1 + this.random.int(MAX_DELAY_MS));
  }

  private hold(channel: string, news: unknown): void {
    const timer = this.later(channel, MAX_HOLD_MS);
    this.troubles.set(channel, { ...this.troubles.get(channel), held: { news, timer } });
  }

  private later(channel: string, ms: number): Timer {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.letGo(channel);
    }, ms);
    this.timers.add(timer);
    return timer;
  }

  /** Publishes what waits, what was held last of all. */
  private letGo(channel: string): void {
    const trouble = this.troubles.get(channel);
    if (!trouble) return;
    this.troubles.delete(channel);
    clearTimeout(trouble.held?.timer);
    const waiting = [...(trouble.delayed ?? []), ...(trouble.held ? [trouble.held.news] : [])];
    for (const news of waiting) this.inner.publish(channel as 'accounts', news as Channels['accounts']);
  }
}
