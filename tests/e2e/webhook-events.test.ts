import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { FAULTY_SERVER } from '../chaos/model/host.ts';
import { eventually } from '../support/eventually.ts';
import { scrape } from '../support/metrics.ts';
import { type Person, signUpAll } from '../support/people.ts';
import { fixedPort } from '../support/ports.ts';
import { closeReceivers, openReceiver, type Receiver } from '../support/receiver.ts';
import { type Environment, endServers, onCluster, runParley, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(120_000);

afterEach(closeReceivers);
afterAll(endServers);

const ALL = [
  'message.created',
  'message.updated',
  'message.deleted',
  'reaction.added',
  'reaction.removed',
  'conversation.created',
  'conversation.updated',
  'participant.joined',
  'participant.left',
];

const settings = (url: string, events: string[], env: Environment = {}): Environment => ({
  WEBHOOK_URL: url,
  WEBHOOK_SECRET: 'a secret of more than 32 characters, of tests',
  WEBHOOK_ALLOW_PRIVATE: 'true',
  WEBHOOK_EVENTS: events.join(),
  WORKER_TRIES: '3',
  WORKER_RETRY_BASE: '20ms',
  WORKER_RETRY_CAP: '50ms',
  ...env,
});

/** Webhooks of a conversation in the order in which they were first taken. */
const typesOf = (receiver: Receiver, id: string) => receiver.eventsOf(id).map(({ body }) => body.type);

/** The `data` of the first of a type; the receiver is not typed for all of them. */
function dataOf(receiver: Receiver, id: string, type: string): Record<string, any> {
  return receiver.eventsOf(id).find(({ body }) => body.type === type)!.body.data as Record<string, any>;
}

const isTold = (receiver: Receiver, id: string, count: number) =>
  eventually(`${count} webhooks`, async () => receiver.eventsOf(id).length >= count);

/** Everything that can happen in a group, in the order of `ALL_OF_IT`. */
async function doAll([alice, bob, carol]: Person[]): Promise<{ group: string; kept: string; deleted: string }> {
  const group = await alice!.group([bob!], 'Crew');
  const kept = await alice!.send(group, 'at noon');
  const deleted = await bob!.send(group, 'a mistake');
  const path = `/conversations/${group}`;
  await alice!.call('PATCH', `${path}/messages/${kept.id}`, { content: 'at one' });
  await bob!.call('PUT', `${path}/messages/${kept.id}/reactions/${encodeURIComponent('👍')}`);
  await bob!.call('DELETE', `${path}/messages/${kept.id}/reactions/${encodeURIComponent('👍')}`);
  await alice!.call('DELETE', `${path}/messages/${deleted.id}`);
  await alice!.call('PATCH', path, { name: 'Crew of two' });
  await alice!.call('POST', `${path}/participants`, { user_ids: [carol!.id] });
  await carol!.call('DELETE', `${path}/participants/${carol!.id}`);
  return { group, kept: kept.id, deleted: deleted.id };
}
const ALL_OF_IT = [
  'conversation.created',
  'message.updated',
  'reaction.added',
  'reaction.removed',
  'message.deleted',
  'conversation.updated',
  'participant.joined',
  'participant.left',
];

describe('a receiver', () => {
  test('is told of everything that it asked for, in order, as docs/WEBHOOKS.md shows it', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url, ALL));
    const people = await signUpAll(server, 'alice', 'bob', 'carol');
    const [alice, bob, carol] = people;
    const { group, kept, deleted } = await doAll(people);
    await isTold(receiver, group, 14);
    // What brought a system message is told as that first.
    expect(typesOf(receiver, group)).toEqual([
      'message.created',
      'conversation.created',
      'message.created',
      'message.created',
      'message.updated',
      'reaction.added',
      'reaction.removed',
      'message.deleted',
      'message.created',
      'conversation.updated',
      'message.created',
      'participant.joined',
      'message.created',
      'participant.left',
    ]);
    const messages = await alice.history(group);
    const [createdNote, keptNow, tombstone, renamed, joined, left] = messages;
    expect(dataOf(receiver, group, 'conversation.created')).toMatchObject({
      conversation_id: group,
      rev: 1,
      conversation: { type: 'group' },
      participants: expect.arrayContaining([expect.objectContaining({ id: bob.id })]),
      message: { id: createdNote!.id },
      user_id: alice.id,
    });
    expect(dataOf(receiver, group, 'message.updated')).toMatchObject({
      conversation_id: group,
      rev: 4,
      message: { id: kept, content: 'at one', edited_at: keptNow!.edited_at },
      cause: { kind: 'edit', user_id: alice.id },
    });
    expect(dataOf(receiver, group, 'reaction.added')).toMatchObject({
      rev: 5,
      message: { id: kept },
      emoji: '👍',
      user_id: bob.id,
    });
    expect(dataOf(receiver, group, 'reaction.removed')).toMatchObject({ rev: 6, emoji: '👍', user_id: bob.id });
    expect(dataOf(receiver, group, 'message.deleted')).toEqual({
      conversation_id: group,
      rev: 7,
      message: tombstone,
      cause: { kind: 'delete', user_id: alice.id },
    });
    expect(tombstone).toMatchObject({ id: deleted, content: '' });
    expect(dataOf(receiver, group, 'conversation.updated')).toMatchObject({
      conversation: { name: 'Crew of two' },
      message: { id: renamed!.id },
      user_id: alice.id,
    });
    expect(dataOf(receiver, group, 'participant.joined')).toMatchObject({
      participants: [{ id: carol.id }],
      message: { id: joined!.id },
      user_id: alice.id,
    });
    expect(dataOf(receiver, group, 'participant.left')).toMatchObject({
      participants: [{ id: carol.id, left: true }],
      message: { id: left!.id },
      user_id: carol.id,
    });
    const ids = receiver.eventsOf(group).map(({ id }) => id);
    expect(ids).toContain(`message-created-${joined!.id}`);
    expect(ids).toContain(`participant-joined-${group}-${joined!.rev}`);
    expect(ids).toContain(`message-updated-${group}-4`);

    // The page has an example of each, with the same fields.
    const page = await Bun.file(join(import.meta.dir, '../../docs/WEBHOOKS.md')).text();
    for (const type of ALL_OF_IT) {
      const shown = new RegExp(`^{"type":"${type}".*$`, 'm').exec(page)?.[0];
      expect(shown, `docs/WEBHOOKS.md has no example of ${type}`).toBeDefined();
      const example = JSON.parse(shown!);
      expect(Object.keys(example)).toEqual(['type', 'timestamp', 'data']);
      expect(Object.keys(example.data).sort()).toEqual(Object.keys(dataOf(receiver, group, type)).sort());
    }
  });

  test('is told of a direct conversation when it is opened, before anything is said', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url, ['conversation.created']));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const direct = await alice.direct(bob);
    await isTold(receiver, direct, 1);
    const { participants, message, user_id } = dataOf(receiver, direct, 'conversation.created');
    expect(participants.map(({ id }: { id: string }) => id).sort()).toEqual([alice.id, bob.id].sort());
    expect([message, user_id]).toEqual([undefined, alice.id]);
  });

  test('is told of nothing that it did not ask for, and of a join as that where it asked for joins', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url, ['participant.joined', 'message.deleted']));
    const people = await signUpAll(server, 'alice', 'bob', 'carol');
    const { group } = await doAll(people);
    await people[0].call('POST', `/conversations/${group}/participants`, { user_ids: [people[2].id] });
    await isTold(receiver, group, 3);
    expect(typesOf(receiver, group)).toEqual(['message.deleted', 'participant.joined', 'participant.joined']);
    // Nothing of it was tried, and so nothing failed.
    expect(receiver.deliveries).toHaveLength(3);
  });

  test('that refuses the second of two is sent both again, and the conversation waits', async () => {
    const receiver = await openReceiver();
    const server = await startServer(
      settings(receiver.url, ['message.created', 'participant.joined'], { WORKER_TRIES: '9' }),
    );
    const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
    let refusals = 0;
    receiver.answer = ({ body }) => (body.type === 'participant.joined' && refusals++ < 2 ? 500 : 204);
    const group = await alice.group([bob]);
    await alice.call('POST', `/conversations/${group}/participants`, { user_ids: [carol.id] });
    await alice.send(group, 'after');
    await isTold(receiver, group, 4);
    expect(typesOf(receiver, group)).toEqual([
      'message.created',
      'message.created',
      'participant.joined',
      'message.created',
    ]);
    expect(receiver.deliveries.filter(({ body }) => body.type === 'participant.joined')).toHaveLength(3);
  });

  test('is told of what was deleted since as a tombstone, whatever happened before', async () => {
    const receiver = await openReceiver();
    receiver.answer = () => 503;
    const server = await startServer(settings(receiver.url, ALL, { WORKER_TRIES: '100' }));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const direct = await alice.direct(bob);
    await eventually('it fails', async () => receiver.deliveries.length > 0);
    const { id } = await alice.send(direct, 'a secret of before');
    await alice.call('PATCH', `/conversations/${direct}/messages/${id}`, { content: 'a secret edit' });
    await alice.call('DELETE', `/conversations/${direct}/messages/${id}`);
    receiver.answer = () => 204;
    await isTold(receiver, direct, 4);
    expect(typesOf(receiver, direct)).toEqual([
      'conversation.created',
      'message.created',
      'message.updated',
      'message.deleted',
    ]);
    expect(receiver.deliveries.map(({ text }) => text).join()).not.toContain('secret');
  });

  test('that gives up on a change is listed with what happened, and gets it when it is tried again', async () => {
    const receiver = await openReceiver();
    const server = await startServer(settings(receiver.url, ['reaction.added', 'conversation.created']));
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    receiver.answer = () => 410;
    const direct = await alice.direct(bob);
    const { id } = await alice.send(direct, 'hello');
    for (const emoji of ['👍', '🎉']) {
      await bob.call('PUT', `/conversations/${direct}/messages/${id}/reactions/${encodeURIComponent(emoji)}`);
    }
    const run = (...args: string[]) => runParley(['jobs', ...args], { DATA_DIR: server.dataDir });
    const listed = await eventually('three are parked', async () => {
      const lines = (await run('list')).stdout.trim().split('\n');
      return lines.length === 3 && lines.map((line) => line.split('  '));
    });
    expect(listed.map((columns) => columns.slice(1, 5))).toEqual([
      ['event', 'webhooks', `${direct}/rev 1`, 'conversation.created'],
      ['event', 'webhooks', `${direct}/rev 3`, 'reaction.added'],
      ['event', 'webhooks', `${direct}/rev 4`, 'reaction.added'],
    ]);
    const { stdout } = await run('show', listed[1]![0]!);
    expect(stdout).toContain(
      `event         reaction.added\nconversation  ${direct}\nrev           3\nseq           1\n`,
    );
    // A parked job does not need the row.
    await runStored(server, 'delete from conversation_events');
    receiver.answer = () => 204;
    await run('retry', 'all');
    await isTold(receiver, direct, 3);
    const emojis = receiver.eventsOf(direct).map(({ body }) => (body.data as { emoji?: string }).emoji);
    expect(emojis.toSorted()).toEqual(['🎉', '👍', undefined].toSorted());
  });
});

describe('beside webhooks', () => {
  const consumers = (...list: { name: string; cursor: string; url: string }[]) => JSON.stringify(list);

  test('another consumer is not held up by a receiver that never answers, nor by one that always fails', async () => {
    const [stuck, failing, free] = [await openReceiver(), await openReceiver(), await openReceiver()];
    stuck.answer = () => undefined;
    failing.answer = () => 500;
    const env = settings(stuck.url, ALL, {
      WEBHOOK_TIMEOUT: '60s',
      WORKER_CONCURRENCY: '2',
      CONSUMERS: consumers(
        { name: 'failing', cursor: 'each', url: failing.url },
        { name: 'free', cursor: 'each', url: free.url },
      ),
    });
    const server = await startServer(env, FAULTY_SERVER);
    const [alice, bob] = await signUpAll(server, 'alice', 'bob');
    const groups = await Promise.all([1, 2, 3, 4].map(() => alice.group([bob])));
    await eventually('webhooks hang', async () => stuck.deliveries.length >= 2);
    for (const group of groups) await alice.send(group, 'hello');
    for (const group of groups) await isTold(free, group, 2);
    expect(stuck.accepted).toEqual([]);
    const text = await scrape(server.nodes[0]!.url);
    expect(text).toMatch(/^parley_consumer_jobs_total\{consumer="failing",outcome="failed"\} \d+$/m);
    expect(text).toMatch(/^parley_consumer_parked\{consumer="free"\} 0$/m);
  });

  if (!onCluster) {
    test('one whose cursors are written behind hears everything at least once, however often the process is killed', async () => {
      const receiver = await openReceiver();
      const env = {
        SERVER_PORT: String(fixedPort()),
        CONSUMERS: consumers({ name: 'behind', cursor: 'behind', url: receiver.url }),
      };
      const server = await startServer(env, FAULTY_SERVER);
      await eventually('it begins', async () => server.lines.some(({ msg }) => msg.startsWith('the consumer begins')));
      const [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
      const ids = [await alice.direct(bob), await alice.direct(carol), await alice.group([bob, carol])];
      receiver.delayMs = 5;
      for (let round = 0; round < 3; round++) {
        for (let count = 0; count < 30; count++) await alice.send(ids[count % 3]!, `${round} ${count}`);
        await server.kill();
        await server.start();
      }
      await alice.send(ids[0]!, 'the last');
      await eventually('all of it', () => allTold(receiver, alice, ids));
      for (const id of ids) {
        const first = receiver.eventsOf(id).map(({ body }) => (body.data as unknown as { rev: number }).rev);
        expect(first).toEqual(first.toSorted((one, other) => one - other));
      }
      // What is kept is not told once more.
      const before = receiver.deliveries.length;
      await eventually('all cursors are kept', () => allKept(server));
      await server.kill();
      await server.start();
      await alice.send(ids[1]!, 'one more');
      await eventually('it', () => allTold(receiver, alice, ids));
      expect(receiver.deliveries.length - before).toBe(1);
    });
  }

  async function allTold(receiver: Receiver, reader: Person, ids: string[]): Promise<boolean> {
    for (const id of ids) {
      const { body } = await reader.call('GET', `/conversations/${id}`);
      if (receiver.eventsOf(id).length < body.conversation.rev) return false;
    }
    return true;
  }

  async function allKept(server: TestServer): Promise<boolean> {
    const open = await runStored<{ id: string }>(
      server,
      `select c.id from conversations c left join job_cursors j on j.conversation_id = c.id
        where j.rev is null or j.rev < c.rev`,
    );
    return open.length === 0;
  }
});
