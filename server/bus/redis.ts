import type { Redis, RedisClient } from '../redis/redis.ts';
import type { Logger } from '../shared/logger.ts';
import type { Bus, Channels } from './bus.ts';
import { MemoryBus } from './memory.ts';
import type { ConversationNews } from './news.ts';
import { hasShapeOf } from './news-shape.ts';
import { SealedPublications } from './sealed-publications.ts';

/** Publications that wait for Redis; beyond that they are dropped, and the outbox makes them good. */
const MAX_UNSENT = 10_000;
/** Channels of one SUBSCRIBE: a command is one burst of work for Redis, which serves nobody else meanwhile. */
const CHANNELS_AT_ONCE = 500;
/** After a subscription failed although Redis is there. */
const RETRY_MS = 500;

/**
 * The bus of many nodes. Subscribers of the own node are called at once, without the way through Redis; other nodes hear
 * through Pub/Sub, on channels that a node joins with its first subscriber and leaves after its last. While Redis is away
 * the own node hears as ever, and the others read the outbox. Of what comes through Redis only that is believed which a node of
 * this installation published just now (sealed-publications.ts).
 */
export class RedisBus implements Bus {
  /** Publications that were given to Redis, since the start. */
  published = 0;
  /** Publications that other nodes were not sent, since the start. */
  dropped = 0;
  private readonly sealed: SealedPublications;
  private readonly here: MemoryBus;
  private readonly subscriber: RedisClient;
  /** How many subscribers each channel has on this node. */
  private readonly wanted = new Map<string, number>();
  /** Channels that the client joined, and joins again after a break. */
  private readonly joined = new Set<string>();
  /** Channels whose subscription may have to change. */
  private readonly unsettled = new Set<string>();
  private settling: Promise<void> | undefined;
  private unsent = 0;
  private closed = false;
  private readonly hear = (text: string, channel: string) => this.receive(text, channel);

  constructor(
    private readonly redis: Redis,
    private readonly log: Logger,
  ) {
    this.here = new MemoryBus(log);
    this.sealed = new SealedPublications(redis.sealOf('publications'), redis.clock);
    this.subscriber = redis.open('subscriptions');
    // The client joins again by itself what it had joined; what changed meanwhile is left to do.
    this.subscriber.on('ready', () => this.settle());
  }

  publish<C extends keyof Channels & string>(channel: C, news: Channels[C]): void {
    this.tellHere(channel, news);
    if (this.closed) return;
    if (!this.redis.isUp || this.unsent >= MAX_UNSENT) {
      this.dropped++;
      return;
    }
    const name = this.redis.prefix + channel;
    const publication = this.sealed.close(name, JSON.stringify(news));
    if (publication === undefined) {
      this.dropped++;
      return;
    }
    this.unsent++;
    this.published++;
    this.redis.commands.publish(name, publication).then(
      () => {
        this.unsent--;
      },
      () => {
        // The connection's own watcher says why.
        this.unsent--;
        this.dropped++;
      },
    );
  }

  tellHere<C extends keyof Channels & string>(channel: C, news: Channels[C]): void {
    this.here.tellHere(channel, news);
  }

  subscribe<C extends keyof Channels & string>(channel: C, hear: (news: Channels[C]) => void): () => void {
    const stop = this.here.subscribe(channel, hear);
    this.count(channel, 1);
    let listening = true;
    return () => {
      if (!listening) return;
      listening = false;
      stop();
      this.count(channel, -1);
    };
  }

  settled(): Promise<void> | undefined {
    return this.subscriber.isReady ? this.settling : undefined;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.wanted.clear();
    await this.here.close();
    this.subscriber.destroy();
  }

  private count(channel: string, change: 1 | -1): void {
    const count = (this.wanted.get(channel) ?? 0) + change;
    if (count > 0) this.wanted.set(channel, count);
    else this.wanted.delete(channel);
    this.unsettled.add(channel);
    this.settle();
  }

  private settle(): void {
    if (this.closed) return;
    this.settling ??= this.join()
      .catch((error) => this.pause(error))
      .finally(() => {
        this.settling = undefined;
        if (this.unsettled.size > 0 && this.subscriber.isReady) this.settle();
      });
  }

  /** Joins and leaves channels until nothing is left to change. */
  private async join(): Promise<void> {
    await Promise.resolve(); // what one piece of work subscribes to goes out as one command
    while (this.unsettled.size > 0 && this.subscriber.isReady) {
      const channels = [...this.unsettled].slice(0, CHANNELS_AT_ONCE);
      for (const channel of channels) this.unsettled.delete(channel);
      const entering = channels.filter((channel) => this.wanted.has(channel) && !this.joined.has(channel));
      const leaving = channels.filter((channel) => !this.wanted.has(channel) && this.joined.has(channel));
      try {
        if (entering.length > 0) await this.subscriber.subscribe(this.names(entering), this.hear);
        for (const channel of entering) this.joined.add(channel);
        if (leaving.length > 0) await this.subscriber.unsubscribe(this.names(leaving), this.hear);
        for (const channel of leaving) this.joined.delete(channel);
      } catch (error) {
        for (const channel of channels) this.unsettled.add(channel);
        throw error;
      }
    }
  }

  private names(channels: string[]): string[] {
    return channels.map((channel) => this.redis.prefix + channel);
  }

  private async pause(error: unknown): Promise<void> {
    if (this.closed || !this.subscriber.isReady) return; // the next connection goes on
    this.log.warn({ err: error }, 'channels of Redis could not be joined: trying again');
    await Bun.sleep(RETRY_MS);
  }

  /** What is no news of a node of this installation, and of now, is dropped: what it would have told is in the outbox. */
  private receive(publication: string, name: string): void {
    if (this.sealed.isOwn(publication)) return;
    const opened = this.sealed.open(name, publication);
    if ('refused' in opened) {
      this.redis.refuse('publication', opened.refused);
      return;
    }
    const channel = name.slice(this.redis.prefix.length) as keyof Channels & string;
    const news = parse(opened.text);
    if (!hasShapeOf(channel, news)) {
      this.redis.refuse('publication', 'malformed');
      return;
    }
    // The socket that a change came from has its number on its own node only.
    for (const change of (news as Partial<ConversationNews>).changes ?? []) delete change.origin;
    this.here.tellHere(channel, news as Channels[typeof channel]);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // which has the shape of nothing
  }
}
