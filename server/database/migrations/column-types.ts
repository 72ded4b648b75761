import {
  type ColumnDataType,
  type ColumnDefinitionBuilder,
  type CreateTableBuilder,
  type RawBuilder,
  sql,
} from 'kysely';
import type { Database } from '../database.ts';

/** What the engines call the same thing. */
export interface ColumnTypes {
  engine: Database['engine'];
  id: ColumnDataType;
  time: ColumnDataType;
  /** A number that counts up: `seq`, `rev` and their like. */
  counter: ColumnDataType;
  flag: ColumnDataType;
  /** Text whose order is that of its bytes, whatever language the database speaks: keys, and what is searched in ranges. */
  key: ColumnDataType | RawBuilder<unknown>;
  /** Whether rows can live in the primary key's own tree. */
  clustered: boolean;
}

export const SQLITE_TYPES: ColumnTypes = {
  engine: 'sqlite',
  id: 'blob',
  time: 'integer',
  counter: 'integer',
  flag: 'integer',
  key: 'text',
  clustered: true,
};

export const POSTGRES_TYPES: ColumnTypes = {
  engine: 'postgres',
  id: 'uuid',
  time: 'bigint',
  counter: 'bigint',
  flag: 'smallint',
  key: sql`text collate "C"`,
  clustered: false,
};

/** A primary key that the database counts up by itself, never twice the same. */
export const countedUp = (types: ColumnTypes) => (column: ColumnDefinitionBuilder) =>
  types.engine === 'sqlite'
    ? column.primaryKey().autoIncrement().notNull()
    : column.primaryKey().generatedByDefaultAsIdentity().notNull();

/** A table whose rows live in the primary key's own tree, where the engine can do that. */
export function clustered<T extends string, C extends string>(types: ColumnTypes, table: CreateTableBuilder<T, C>) {
  return types.clustered ? table.modifyEnd(sql`without rowid`) : table;
}
