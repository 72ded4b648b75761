import { afterEach, beforeEach, expect, test } from 'bun:test';
import type { Bus, UserNews } from './bus.ts';

const joining = (rev: number): UserNews => ({ kind: 'joining', conversation_id: 'c', rev });
const revs = (heard: UserNews[]) => heard.map(({ rev }) => rev);

/** What Bus promises, to be run on every bus. `settle` resolves once all that was published is heard. */
export function busContract(make: () => Promise<{ bus: Bus; settle(): Promise<void> }>): void {
  let bus: Bus;
  let settle: () => Promise<void>;

  beforeEach(async () => {
    ({ bus, settle } = await make());
  });
  afterEach(() => bus.close());

  function listen(user: string) {
    const heard: UserNews[] = [];
    const stop = bus.subscribe(`user:${user}`, (news) => heard.push(news));
    return { heard, stop };
  }

  test('what is published is heard by every subscriber of the channel, once and in order', async () => {
    const [one, other] = [listen('alice'), listen('alice')];
    for (let rev = 1; rev <= 100; rev++) bus.publish('user:alice', joining(rev));
    await settle();
    const all = Array.from({ length: 100 }, (_, index) => joining(index + 1));
    expect(one.heard).toEqual(all);
    expect(other.heard).toEqual(all);
  });

  test('nobody hears another channel', async () => {
    const alice = listen('alice');
    bus.publish('user:bob', joining(1));
    bus.publish('user:alicent', joining(2));
    bus.publish('conversation:alice', { conversation_id: 'alice' });
    bus.publish('accounts', { kind: 'user_changed', user_id: 'alice' });
    await settle();
    expect(alice.heard).toEqual([]);
  });

  test('who stops listening hears nothing more, and the others go on', async () => {
    const [one, other] = [listen('alice'), listen('alice')];
    bus.publish('user:alice', joining(1));
    await settle();
    one.stop();
    one.stop();
    bus.publish('user:alice', joining(2));
    await settle();
    expect([revs(one.heard), revs(other.heard)]).toEqual([[1], [1, 2]]);
    other.stop();
    const third = listen('alice');
    one.stop(); // says nothing for those who came since
    bus.publish('user:alice', joining(3));
    await settle();
    expect([revs(other.heard), revs(third.heard)]).toEqual([[1, 2], [3]]);
  });

  test('who stops listening does so for themselves alone, also when they listened twice', async () => {
    const heard: UserNews[] = [];
    const hear = (news: UserNews) => heard.push(news);
    const first = bus.subscribe('user:alice', hear);
    bus.subscribe('user:alice', hear);
    bus.publish('user:alice', joining(1));
    await settle();
    first();
    bus.publish('user:alice', joining(2));
    await settle();
    expect(revs(heard)).toEqual([1, 1, 2]);
  });

  test('one who fails keeps nobody else from hearing, nor publishing from going on', async () => {
    bus.subscribe('user:alice', () => {
      throw new Error('a subscriber that fails');
    });
    const { heard } = listen('alice');
    bus.publish('user:alice', joining(1));
    bus.publish('user:alice', joining(2));
    await settle();
    expect(revs(heard)).toEqual([1, 2]);
  });

  test('one may stop listening, or publish, while they hear', async () => {
    const { heard } = listen('bob');
    const stop = bus.subscribe('user:alice', ({ rev }) => {
      stop();
      bus.publish('user:bob', joining(rev + 1));
    });
    bus.publish('user:alice', joining(1));
    bus.publish('user:alice', joining(5));
    await settle();
    expect(revs(heard)).toEqual([2]);
  });

  test('after it is closed nothing is heard, and publishing does no harm', async () => {
    const { heard } = listen('alice');
    await bus.close();
    bus.publish('user:alice', joining(1));
    await settle();
    expect(heard).toEqual([]);
  });
}
