import type { CompiledQuery } from 'kysely';

/** Stands for a value that is given later. */
class Placeholder {
  constructor(readonly name: string) {}
}

/**
 * Compiles queries once, with placeholders, and answers a function that binds values to them: building a query anew costs
 * more than the engine needs to answer it. `build` may only hand on the values that it is given, as values of the queries;
 * it cannot decide by them.
 */
export function prepared<Values extends object, const Queries extends readonly CompiledQuery[]>(
  build: (values: Values) => Queries,
): (values: Values) => Queries {
  const placeholders = new Proxy({} as Values, { get: (_, name) => new Placeholder(String(name)) });
  let queries: Queries | undefined;
  return (values) => {
    queries ??= build(placeholders);
    const given = values as Record<string, unknown>;
    return queries.map((query) => ({
      ...query,
      parameters: query.parameters.map((value) => (value instanceof Placeholder ? given[value.name] : value)),
    })) as readonly CompiledQuery[] as Queries;
  };
}
