import {
  type AliasNode,
  type BinaryOperationNode,
  ColumnNode,
  type ColumnUpdateNode,
  type CompiledQuery,
  IdentifierNode,
  type InsertQueryNode,
  type OperationNode,
  type QueryId,
  type RawNode,
  ReferenceNode,
  type RootOperationNode,
  type SelectQueryNode,
  SqliteQueryCompiler,
  TupleNode,
  type ValuesNode,
} from 'kysely';
import type { ColumnKind, ColumnKinds } from '../columns.ts';
import { markUuids } from './uuid-marks.ts';

/**
 * Compiles a query, and notes at the beginning of its text which parameters are for columns that keep UUIDs as bytes: those
 * that are compared with such a column, inserted into it or set to it. So a text says by itself how it is bound, wherever
 * it is kept. Values in a piece of raw SQL belong to no column: they are bound as they are.
 */
export class UuidMarkingCompiler extends SqliteQueryCompiler {
  private places: number[] = [];
  /** The column that values belong to here. */
  private column: string | undefined;
  /** The columns that the values of a row belong to here, each to its own. */
  private row: readonly (string | undefined)[] | undefined;

  constructor(private readonly kinds: ColumnKinds) {
    super();
  }

  override compileQuery<R = unknown>(node: RootOperationNode, queryId: QueryId): CompiledQuery<R> {
    this.places = [];
    this.column = undefined;
    this.row = undefined;
    const query = super.compileQuery(node, queryId) as CompiledQuery<R>;
    return { ...query, sql: markUuids(query.sql, this.places) };
  }

  protected override appendValue(value: unknown): void {
    if (keptAs(this.kindOf(this.column)) === 'uuid') this.places.push(this.numParameters);
    super.appendValue(value);
  }

  /** Rows name their columns without tables: what is kept as bytes must be known by its name, or nobody could read it. */
  protected override visitAlias(node: AliasNode): void {
    const [name, alias] = [nameOf(node.node), IdentifierNode.is(node.alias) ? node.alias.name : undefined];
    const kept = keptAs(this.kindOf(name));
    if (kept !== undefined && kept !== keptAs(this.kindOf(alias))) {
      throw new TypeError(`${name} cannot be read as ${alias}: that must be the name of a column of the same kind`);
    }
    super.visitAlias(node);
  }

  protected override visitBinaryOperation(node: BinaryOperationNode): void {
    const { leftOperand: left, rightOperand: right } = node;
    const row = TupleNode.is(left) ? left.values.map(nameOf) : undefined;
    this.within(nameOf(left) ?? nameOf(right), row, () => super.visitBinaryOperation(node));
  }

  protected override visitColumnUpdate(node: ColumnUpdateNode): void {
    this.within(nameOf(node.column), undefined, () => super.visitColumnUpdate(node));
  }

  protected override visitInsertQuery(node: InsertQueryNode): void {
    this.within(undefined, node.columns?.map(nameOf), () => super.visitInsertQuery(node));
  }

  protected override visitSelectQuery(node: SelectQueryNode): void {
    this.within(undefined, undefined, () => super.visitSelectQuery(node));
  }

  protected override visitRaw(node: RawNode): void {
    this.within(undefined, undefined, () => super.visitRaw(node));
  }

  /** The rows of an insert: in each, the values belong to the columns one by one. */
  protected override visitValues(node: ValuesNode): void {
    this.append('values ');
    node.values.forEach((item, index) => {
      if (index > 0) this.append(', ');
      if (item.kind === 'PrimitiveValueListNode') this.appendRow(item.values, (value) => this.appendValue(value));
      else this.appendRow(item.values, this.visitNode);
    });
  }

  protected override visitTuple(node: TupleNode): void {
    this.appendRow(node.values, this.visitNode);
  }

  private appendRow<Value>(values: readonly Value[], append: (value: Value) => void): void {
    const { row } = this;
    this.append('(');
    values.forEach((value, index) => {
      if (index > 0) this.append(', ');
      this.within(row?.[index], undefined, () => append(value));
    });
    this.append(')');
  }

  private kindOf(column: string | undefined): ColumnKind | undefined {
    return column === undefined ? undefined : this.kinds[column];
  }

  private within(column: string | undefined, row: typeof this.row, visit: () => void): void {
    const outer = { column: this.column, row: this.row };
    this.column = column;
    this.row = row;
    visit();
    this.column = outer.column;
    this.row = outer.row;
  }
}

/** As which bytes SQLite keeps a kind; undefined where it keeps it as what it is. */
function keptAs(kind: ColumnKind | undefined): 'uuid' | 'bytes' | undefined {
  if (kind === 'blob') return 'bytes';
  return kind === 'id' || kind === 'compact' ? 'uuid' : undefined;
}

/** The name of a column where a node is one, without its table. */
function nameOf(node: OperationNode): string | undefined {
  const column = ReferenceNode.is(node) ? node.column : node;
  return ColumnNode.is(column) ? column.column.name : undefined;
}
