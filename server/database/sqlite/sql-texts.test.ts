import { expect, test } from 'bun:test';
import { ReceivedQueries, SentQueries } from './sql-texts.ts';

const ask = (sql: string, parameters: unknown[] = []) => ({ sql, parameters });

test('a text of SQL crosses once, and those beyond the bound each time', () => {
  const asking = new SentQueries();
  const answering = new ReceivedQueries();
  const queries = Array.from({ length: 600 }, (_, index) => ask(`select ${index}`, [index, 'one', null, true]));
  const first = asking.encode(queries);
  const again = asking.encode(queries);
  expect(first.match(/"select \d+"/g)?.length).toBe(600);
  expect(again.match(/"select \d+"/g)?.length).toBe(100);
  expect([first, again].map((sent) => answering.decode(sent))).toEqual([queries, queries]);
});

test('a text counts only where it is sent', () => {
  const asking = new SentQueries();
  const answering = new ReceivedQueries();
  expect(() => asking.encode([ask('select 1'), ask('select ?', [1n])])).toThrow();
  for (const sql of ['select 2', 'select 1', 'select 2', 'select 1']) {
    expect(answering.decode(asking.encode([ask(sql)]))).toEqual([ask(sql)]);
  }
});
