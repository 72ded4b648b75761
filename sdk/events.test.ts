import { expect, test } from 'bun:test';
import { Emitter, type ParleyEvent } from './events.ts';

const state = 'online' as const;

test('a reader gets what happens from its beginning on, and nothing after its end', async () => {
  const emitter = new Emitter();
  emitter.emit('state', 'offline');
  const events = emitter.events();
  emitter.emit('state', 'connecting');
  const next = await events.next();
  expect(next.value).toEqual({ event: 'state', data: 'connecting' });
  const waiting = events.next();
  emitter.emit('state', state);
  expect((await waiting).value).toEqual({ event: 'state', data: 'online' });
  const last = events.next();
  emitter.end();
  expect(await last).toEqual({ value: undefined, done: true });
});

test('a slow reader is told how many events it lost', async () => {
  const emitter = new Emitter();
  const events = emitter.events(3);
  for (let count = 0; count < 10; count++) emitter.emit('state', state);
  const heard: ParleyEvent[] = [];
  emitter.end();
  for await (const event of events) heard.push(event);
  expect(heard[0]).toEqual({ event: 'lagged', data: { dropped: 7 } });
  expect(heard).toHaveLength(4);
});

test('a reader that stops is forgotten', async () => {
  const emitter = new Emitter();
  queueMicrotask(() => emitter.emit('state', state));
  for await (const _ of emitter.events()) break;
  expect(emitter).toMatchObject({ queues: new Set() });
});
