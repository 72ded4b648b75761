import { describe, expect, test } from 'bun:test';
import { parseOptions } from './options.ts';

describe('the command line', () => {
  test('measures everything but the large database', () => {
    expect(parseOptions([])).toMatchObject({
      scenarios: ['pairs', 'fanout', 'latency', 'idle', 'history', 'away', 'storm', 'reading'],
      bigMessages: undefined,
      write: true,
    });
  });

  test('adds the large database, alone or beside the rest', () => {
    expect(parseOptions(['--only=big', '--big-size=50_000'])).toMatchObject({
      scenarios: ['big'],
      bigMessages: 50_000,
    });
    expect(parseOptions(['--big'])).toMatchObject({ bigMessages: 10_000_000 });
  });

  test('measures several nodes on PostgreSQL, with the way between them, and keeps the report as it is', () => {
    const nodes = { database: 'postgres', targets: ['parley'], write: false };
    expect(parseOptions(['--nodes=3'])).toMatchObject({
      ...nodes,
      scenarios: ['pairs', 'fanout', 'latency', 'hop'],
      nodes: 3,
    });
    expect(parseOptions(['--nodes=1'])).toMatchObject({
      ...nodes,
      scenarios: ['pairs', 'fanout', 'latency'],
      nodes: 1,
    });
  });

  test('refuses what it does not know', () => {
    expect(() => parseOptions(['--only=pears'])).toThrow('there is no "pears"');
    expect(() => parseOptions(['--fast'])).toThrow();
    expect(() => parseOptions(['--big-size=ten'])).toThrow('--big-size');
    expect(() => parseOptions(['--nodes=0'])).toThrow('--nodes');
  });
});
