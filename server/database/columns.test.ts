import { expect, test } from 'bun:test';
import { kindsByName } from './columns.ts';

test('a name has one kind in all tables, whichever of them comes first, and a number may share it', () => {
  const kinds = { one: { id: 'number', at: 'number' }, two: { id: 'id' }, three: { id: 'number' } } as const;
  expect(kindsByName(kinds)).toEqual({ id: 'id', at: 'number' });
  expect(() => kindsByName({ one: { hash: 'blob' }, two: { hash: 'text' } })).toThrow('two.hash is text, and blob');
});
