import type { Logger } from '../shared/logger.ts';
import type { Bus, Channels } from './bus.ts';

/** One subscription: the same function may listen twice. */
interface Subscription {
  hear(news: never): void;
}

/** The bus of a single node: subscribers are called at once. */
export class MemoryBus implements Bus {
  /** One or several for each channel: most have one, and there are very many of them. */
  private readonly channels = new Map<string, Subscription | Set<Subscription>>();

  constructor(private readonly log: Logger) {}

  publish<C extends keyof Channels & string>(channel: C, news: Channels[C]): void {
    this.tellHere(channel, news);
  }

  tellHere<C extends keyof Channels & string>(channel: C, news: Channels[C]): void {
    for (const { hear } of this.subscriptionsOf(channel)) {
      try {
        (hear as (news: Channels[C]) => void)(news);
      } catch (error) {
        this.log.error({ err: error, channel }, 'a subscriber failed');
      }
    }
  }

  subscribe<C extends keyof Channels & string>(channel: C, hear: (news: Channels[C]) => void): () => void {
    const subscription: Subscription = { hear };
    const others = this.channels.get(channel);
    if (others instanceof Set) others.add(subscription);
    else this.channels.set(channel, others ? new Set([others, subscription]) : subscription);
    return () => this.unsubscribe(channel, subscription);
  }

  settled(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.channels.clear();
  }

  private subscriptionsOf(channel: string): Iterable<Subscription> {
    const all = this.channels.get(channel);
    if (all === undefined) return [];
    return all instanceof Set ? all : [all];
  }

  private unsubscribe(channel: string, subscription: Subscription): void {
    const all = this.channels.get(channel);
    if (all instanceof Set) all.delete(subscription);
    if (all === subscription || (all instanceof Set && all.size === 0)) this.channels.delete(channel);
  }
}
