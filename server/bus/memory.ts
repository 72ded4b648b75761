import type { Logger } from '../monitoring/logger.ts';
import type { Bus, Channels } from './bus.ts';

/** One subscription: the same function may listen twice. */
interface Subscription {
  hear(news: never): void;
}

/** The bus of a single node: subscribers are called at once. */
export class MemoryBus implements Bus {
  private readonly channels = new Map<string, Set<Subscription>>();

  constructor(private readonly log: Logger) {}

  publish<C extends keyof Channels & string>(channel: C, news: Channels[C]): void {
    this.tellHere(channel, news);
  }

  tellHere<C extends keyof Channels & string>(channel: C, news: Channels[C]): void {
    for (const { hear } of this.channels.get(channel) ?? []) {
      try {
        (hear as (news: Channels[C]) => void)(news);
      } catch (error) {
        this.log.error({ err: error, channel }, 'a subscriber failed');
      }
    }
  }

  subscribe<C extends keyof Channels & string>(channel: C, hear: (news: Channels[C]) => void): () => void {
    const subscription: Subscription = { hear };
    const all = this.channels.get(channel) ?? new Set();
    this.channels.set(channel, all.add(subscription));
    return () => {
      all.delete(subscription);
      // Only its own entry: others may have begun to listen since it was empty.
      if (all.size === 0 && this.channels.get(channel) === all) this.channels.delete(channel);
    };
  }

  settled(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.channels.clear();
  }
}
