import { type ColumnDataType, type CreateTableBuilder, sql } from 'kysely';

/** What the engines call the same thing. */
export interface ColumnTypes {
  id: ColumnDataType;
  time: ColumnDataType;
  flag: ColumnDataType;
  /** Whether rows can live in the primary key's own tree. */
  clustered: boolean;
}

export const SQLITE_TYPES: ColumnTypes = { id: 'blob', time: 'integer', flag: 'integer', clustered: true };

/** A table whose rows live in the primary key's own tree, where the engine can do that. */
export function clustered<T extends string, C extends string>(types: ColumnTypes, table: CreateTableBuilder<T, C>) {
  return types.clustered ? table.modifyEnd(sql`without rowid`) : table;
}
