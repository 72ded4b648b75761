import { afterEach, beforeEach, expect, test } from 'bun:test';
import { sql } from 'kysely';
import { type ChatWorld, silentLog } from '../../tests/support/chat-world.ts';
import { eventually } from '../../tests/support/eventually.ts';
import type { ConversationEvent, Position } from '../chat/events/event.ts';
import { SchemaMigrator } from '../database/migrator.ts';
import type { Actor } from '../shared/actor.ts';
import type { Outcome } from '../shared/outcome.ts';
import { buildWorkers } from './create-worker.ts';
import type { Consumer } from './jobs.ts';
import { ParkedJobsRepository } from './parked-jobs-repository.ts';
import type { Workers } from './workers.ts';

const FAST = { tries: 3, retry_base: 10, retry_cap: 20, concurrency: 4 };

/** Writes down all that it is told. */
class Recorder implements Consumer {
  readonly timeoutMs = 5000;
  readonly told: ConversationEvent[] = [];
  readonly positions: (Position | undefined)[] = [];
  answer: (event: ConversationEvent) => Outcome | Promise<Outcome> = () => ({ kind: 'done' });

  constructor(
    readonly name: string,
    readonly cursor: Consumer['cursor'] = 'each',
  ) {}

  wants(): boolean {
    return true;
  }

  async handle(event: ConversationEvent, signal: AbortSignal, position?: Position): Promise<Outcome> {
    this.told.push(event);
    this.positions.push(position);
    const stopped = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => stopped.reject(signal.reason));
    return Promise.race([this.answer(event), stopped.promise]);
  }

  of(conversationId: string): string[] {
    return this.told.filter((one) => one.conversation_id === conversationId).map(({ rev, kind }) => `${rev} ${kind}`);
  }
}

/** The step of the schema with which events came. */
const STEP = '0006-conversation-events';

/** Takes back this step, and those after it. */
async function takeBack(migrator: SchemaMigrator): Promise<void> {
  for (;;) {
    const [step] = await migrator.down();
    if (step === undefined) throw new Error(`${STEP} was never applied`);
    if (step === STEP) return;
  }
}

/** What workers of several consumers promise, to be run on every engine. */
export function workerContract(make: () => Promise<ChatWorld>): void {
  let world: ChatWorld;
  let alice: Actor;
  let bob: Actor;
  let workers: Workers | undefined;

  beforeEach(async () => {
    world = await make();
    [alice, bob] = world.people;
  });
  afterEach(async () => {
    await workers?.stop(0);
    await world.close();
  });

  function start(...consumers: Consumer[]): void {
    const { database, feed } = world;
    workers = buildWorkers({ config: FAST, database, feed, log: silentLog, observe() {}, consumers });
    workers.start();
  }

  async function stop(): Promise<void> {
    await workers?.stop(0);
    workers = undefined;
  }

  const hasBegun = (consumer: Consumer) =>
    eventually(`${consumer.name} begins`, async () => {
      const find = world.database.read.selectFrom('meta').selectAll().where('key', '=', `jobs:${consumer.name}`);
      return (await find.executeTakeFirst()) !== undefined;
    });
  const cursorsOf = (consumer: Consumer) =>
    world.database.read.selectFrom('job_cursors').selectAll().where('consumer', '=', consumer.name).execute();
  const parked = () => new ParkedJobsRepository(world.database).list(100);
  const isTold = (consumer: Recorder, count: number) =>
    eventually(`${count} events`, async () => consumer.told.length >= count);

  /** Has the database count how often a cursor is written; answers how to ask it. */
  async function countWrites(): Promise<() => Promise<number>> {
    const statements =
      world.database.engine === 'sqlite'
        ? ['insert', 'update'].map(
            (change) => `create trigger counted_${change} after ${change} on job_cursors begin
              insert into counted_writes values (1); end`,
          )
        : [
            `create function counted_write() returns trigger language plpgsql as
              'begin insert into counted_writes values (1); return null; end'`,
            `create trigger counted after insert or update on job_cursors
              for each row execute function counted_write()`,
          ];
    await run('create table counted_writes (one integer)');
    for (const statement of statements) await run(statement);
    return async () => (await run('select one from counted_writes')).rows.length;
  }

  const run = (statement: string) => sql.raw(statement).execute(world.database.write);

  test('a consumer that hangs in all of its places holds up no other', async () => {
    const [stuck, free] = [new Recorder('stuck'), new Recorder('free')];
    stuck.answer = () => new Promise(() => {});
    start(stuck, free);
    await Promise.all([hasBegun(stuck), hasBegun(free)]);
    const groups = await Promise.all(Array.from({ length: 6 }, () => world.group(alice, [bob])));
    await isTold(stuck, FAST.concurrency);
    for (let n = 0; n < 5; n++) for (const group of groups) await world.send(group, alice, `message ${n}`);
    await isTold(free, groups.length * 6);
    for (const group of groups) {
      expect(free.of(group)).toEqual([
        '1 conversation.created',
        ...[2, 3, 4, 5, 6].map((rev) => `${rev} message.created`),
      ]);
    }
    expect(stuck.told).toHaveLength(FAST.concurrency);
    // Its own events it finds all the same, once it goes on.
    stuck.answer = () => ({ kind: 'done' });
    await stop();
    start(stuck, free);
    await isTold(stuck, FAST.concurrency + groups.length * 6);
    for (const group of groups) expect(new Set(stuck.of(group)).size).toBe(6);
    expect(free.told).toHaveLength(groups.length * 6);
  });

  test('a consumer that begins is told what happens from then on, edits of older messages too', async () => {
    const group = await world.group(alice, [bob]);
    const old = await world.send(group, alice, 'before');
    await world.edit(group, alice, old, 'before, edited');
    const recorder = new Recorder('late');
    start(recorder);
    await hasBegun(recorder);
    await world.edit(group, alice, old, 'edited now');
    await isTold(recorder, 1);
    expect(recorder.of(group)).toEqual(['4 message.updated']);
  });

  test('several events of one message are parked each for itself, and tried again as what they were', async () => {
    const recorder = new Recorder('strict');
    start(recorder);
    await hasBegun(recorder);
    const group = await world.group(alice, [bob]);
    const message = await world.send(group, alice, 'one');
    await isTold(recorder, 2);
    recorder.answer = () => ({ kind: 'hopeless', reason: 'no' });
    await world.react(group, bob, message, '👍', true);
    await world.react(group, bob, message, '🎉', true);
    await world.role(group, alice, bob, 'admin');
    await eventually('they are parked', async () => (await parked()).length === 3);
    expect((await parked()).map(({ kind, rev, message_seq }) => [kind, rev, message_seq])).toEqual([
      ['reaction.added', 3, 2],
      ['reaction.added', 4, 2],
      ['participant.updated', 5, null],
    ]);
    // A parked job has all that it needs.
    await world.database.write.deleteFrom('conversation_events').execute();
    recorder.answer = () => ({ kind: 'done' });
    recorder.told.length = 0;
    await new ParkedJobsRepository(world.database).retry();
    await eventually('they are done', async () => (await parked()).length === 0);
    const told = recorder.told.toSorted((one, other) => one.rev - other.rev);
    expect(told).toMatchObject([
      { rev: 3, emoji: '👍', actor_id: bob.userId },
      { rev: 4, emoji: '🎉', actor_id: bob.userId },
      { rev: 5, kind: 'participant.updated', participants: [{ id: bob.userId, participant_role: 'admin' }] },
    ]);
    expect(told.some(({ coalesced }) => coalesced)).toBe(false);
  });

  test('an installation of a version that knew messages only goes on where it was', async () => {
    const migrator = new SchemaMigrator(world.database);
    const recorder = new Recorder('webhooks');
    // All that was told, and edited since; two messages behind; never told of anything; and one that is given up.
    const done = await world.group(alice, [bob]);
    const first = await world.send(done, alice, 'told');
    await world.edit(done, alice, first, 'edited before the upgrade');
    const behind = await world.group(alice, [bob]);
    for (const content of ['told', 'not told', 'not told either']) await world.send(behind, bob, content);
    const fresh = await world.group(alice, [bob]);
    await world.role(done, alice, bob, 'admin');
    await takeBack(migrator);
    const quoted = (id: string) =>
      world.database.engine === 'sqlite' ? `x'${id.replaceAll('-', '')}'` : `'${id}'::uuid`;
    for (const [id, seq] of [
      [done, 2],
      [behind, 2],
    ] as const) {
      await run(`insert into job_cursors (conversation_id, consumer, seq) values (${quoted(id)}, 'webhooks', ${seq})`);
    }
    await run(`insert into meta (key, value) values ('jobs:webhooks', 'long ago')`);
    await run(`insert into parked_jobs (id, consumer, conversation_id, seq, attempts, reason, parked_at)
      values (${quoted(Bun.randomUUIDv7())}, 'webhooks', ${quoted(done)}, 2, 15, 'it failed', 1)`);

    expect((await migrator.up())[0]).toBe(STEP);
    expect(await parked()).toMatchObject([{ conversation_id: done, seq: 2, attempts: 15, rev: null, kind: null }]);
    start(recorder);
    await isTold(recorder, 3);
    await eventually('every cursor has its rev', async () => {
      const cursors = await cursorsOf(recorder);
      return cursors.length === 3 && cursors.every(({ rev, next_at }) => rev !== null && next_at === null);
    });
    expect(recorder.of(done)).toEqual([]);
    expect(recorder.of(behind)).toEqual(['3 message.created', '4 message.created']);
    expect(recorder.of(fresh)).toEqual(['1 conversation.created']);

    await world.edit(done, alice, first, 'edited after the upgrade');
    await new ParkedJobsRepository(world.database).retry();
    await isTold(recorder, 5);
    expect(recorder.of(done).toSorted()).toEqual(['2 message.created', '5 message.updated']);
    await eventually('nothing is parked', async () => (await parked()).length === 0);
  });

  test('the step goes down with events that are parked, and up again', async () => {
    const recorder = new Recorder('strict');
    start(recorder);
    await hasBegun(recorder);
    recorder.answer = () => ({ kind: 'hopeless', reason: 'no' });
    const group = await world.group(alice, [bob]);
    await world.role(group, alice, bob, 'admin');
    await eventually('both are parked', async () => (await parked()).length === 2);
    await stop();
    const migrator = new SchemaMigrator(world.database);
    await takeBack(migrator);
    // The version before takes a message, and the constraint that it relies on.
    const { rows } = await sql<Record<string, unknown>>`select seq, reason from parked_jobs`.execute(
      world.database.write,
    );
    expect(rows.map(({ seq, reason }) => ({ seq: Number(seq), reason }))).toEqual([{ seq: 1, reason: 'no' }]);
    await sql`insert into parked_jobs (id, consumer, conversation_id, seq, attempts, reason, parked_at)
      select id, consumer, conversation_id, seq, attempts, reason, parked_at from parked_jobs
      where true on conflict (conversation_id, consumer, seq) do nothing`.execute(world.database.write);
    await migrator.up();
    expect(await parked()).toMatchObject([{ seq: 1, rev: null }]);
  });

  test('cursors that are written behind cost no write for each event, and are there when the worker ends', async () => {
    const recorder = new Recorder('relaxed', 'behind');
    start(recorder);
    await hasBegun(recorder);
    const writes = await countWrites();
    const startedAt = performance.now();
    const group = await world.group(alice, [bob]);
    for (let n = 0; n < 20; n++) await world.send(group, alice, `message ${n}`);
    await isTold(recorder, 21);
    const [cursor] = await eventually('the cursor', async () => {
      const cursors = await cursorsOf(recorder);
      return cursors.some(({ rev }) => rev === 21) && cursors;
    });
    expect(cursor).toMatchObject({ seq: 21, rev: 21, owner: null, next_at: null });
    expect(await writes()).toBeLessThanOrEqual(1 + (performance.now() - startedAt) / 1000);
    await world.send(group, alice, 'the last');
    await isTold(recorder, 22);
    await stop();
    expect(await cursorsOf(recorder)).toMatchObject([{ seq: 22, rev: 22 }]);
    start(recorder);
    await world.send(group, alice, 'one more');
    await isTold(recorder, 23);
    expect(recorder.told).toHaveLength(23);
  });

  test.each([
    ['moves its cursor item by item', 'each'],
    ['has it written behind', 'behind'],
  ] as const)('a failure of a consumer that %s is tried again and then parked, in order', async (_, cursor) => {
    const recorder = new Recorder('failing', cursor);
    start(recorder);
    await hasBegun(recorder);
    let failures = 0;
    recorder.answer = ({ rev }) => {
      if (rev === 2 && failures++ < 2) return { kind: 'failed', reason: 'not yet' };
      return rev === 4 ? { kind: 'failed', reason: 'never' } : { kind: 'done' };
    };
    const group = await world.group(alice, [bob]);
    for (let n = 0; n < 4; n++) await world.send(group, alice, `message ${n}`);
    await eventually('the last', async () => recorder.of(group).at(-1)?.startsWith('5'));
    expect(recorder.told.map(({ rev }) => rev)).toEqual([1, 2, 2, 2, 3, 4, 4, 4, 5]);
    expect(await parked()).toMatchObject([{ rev: 4, seq: 4, attempts: 3, reason: 'never' }]);
    await eventually('nothing waits', async () =>
      (await cursorsOf(recorder)).every((one) => one.rev === 5 && one.next_at === null && one.waiting_since === null),
    );
  });

  test('a consumer that keeps its own cursors is asked for them, and told where it stands', async () => {
    const mine = new Map<string, Position>();
    const own = {
      cursorsOf: async () => new Map(mine),
      advance: async (id: string, position: Position) => void mine.set(id, { seq: position.seq, rev: position.rev }),
    };
    const recorder = new Recorder('index', own);
    const group = await world.group(alice, [bob]);
    await world.send(group, alice, 'of before');
    recorder.answer = async () => {
      const position = recorder.positions.at(-1);
      if (position) mine.set(recorder.told.at(-1)!.conversation_id, position);
      return { kind: 'done' };
    };
    start(recorder);
    await isTold(recorder, 2);
    await world.role(group, alice, bob, 'admin');
    await isTold(recorder, 3);
    expect(recorder.of(group)).toEqual(['1 conversation.created', '2 message.created', '3 participant.updated']);
    expect(mine.get(group)).toEqual({ seq: 2, rev: 3 });
    expect(await cursorsOf(recorder)).toEqual([]);
    // It begins anew by its own will.
    await stop();
    mine.clear();
    start(recorder);
    await isTold(recorder, 6);
    expect(recorder.of(group).slice(3)).toEqual(recorder.of(group).slice(0, 3));
  });
}
