import { expect, test } from 'bun:test';
import { ReceivedSqlTexts, SqlTexts } from './sql-texts.ts';

test('a text of SQL crosses once, and those beyond the bound each time', () => {
  const asking = new SqlTexts();
  const answering = new ReceivedSqlTexts();
  const texts = Array.from({ length: 600 }, (_, index) => `select ${index}`);
  const first = texts.map((text) => asking.toSend(text));
  expect(first).toEqual(texts);
  expect(first.map((sent) => answering.receive(sent))).toEqual(texts);
  const again = texts.map((text) => asking.toSend(text));
  expect(again.filter((sent) => typeof sent === 'number').length).toBe(500);
  expect(again.map((sent) => answering.receive(sent))).toEqual(texts);
});
