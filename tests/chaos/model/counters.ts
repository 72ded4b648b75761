/** How often things were done, by name. */
export class Counters {
  readonly counts = new Map<string, number>();

  add(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  addAll(others: Iterable<[string, number]>): void {
    for (const [name, count] of others) this.add(name, count);
  }

  get(name: string): number {
    return this.counts.get(name) ?? 0;
  }
}
