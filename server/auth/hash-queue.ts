import { ParleyError } from '../shared/errors.ts';

/** On whose account a password is hashed: it decides behind whom it waits. */
export interface Asker {
  /** `known`: somebody signed in, a device that has signed in to this account before, or whoever runs the installation. */
  kind: 'known' | 'stranger';
  /** Whom the wait is counted for: an account, or a stranger's address. */
  key: string;
}

interface Waiting {
  begin(): void;
  refuse(reason: ParleyError): void;
}

/** Those of one kind who wait. Each key has its turn, and what waits behind one key waits in its order. */
class Line {
  private readonly byKey = new Map<string, Waiting[]>();
  private size = 0;

  constructor(private readonly most: number) {}

  /**
   * Puts one at the end of its key's. A line that is full refuses the latest of the key that has most in it, which may be the
   * one that comes: so nobody's many keep out another's one.
   */
  add(key: string, waiting: Waiting): void {
    if (this.size >= this.most) {
      const [longest, theirs] = this.longest();
      if (theirs.length <= (this.byKey.get(key)?.length ?? 0) + 1) throw new ParleyError('unavailable');
      theirs.pop()!.refuse(new ParleyError('unavailable'));
      if (theirs.length === 0) this.byKey.delete(longest);
      this.size--;
    }
    const own = this.byKey.get(key);
    if (own) own.push(waiting);
    else this.byKey.set(key, [waiting]);
    this.size++;
  }

  /** Takes out the one whose turn it is. Their key goes to the end. */
  next(): Waiting | undefined {
    const first = this.byKey.entries().next().value;
    if (!first) return undefined;
    const [key, own] = first;
    const waiting = own.shift()!;
    this.byKey.delete(key);
    if (own.length > 0) this.byKey.set(key, own);
    this.size--;
    return waiting;
  }

  private longest(): [string, Waiting[]] {
    let longest: [string, Waiting[]] = ['', []];
    for (const entry of this.byKey) if (entry[1].length > longest[1].length) longest = entry;
    return longest;
  }
}

/**
 * Does a few things at once, and lets a bounded number wait. Strangers and those who are known wait in lines of their own,
 * which take turns: however many strangers come, half of all turns are for those who are known, and the other way round.
 */
export class HashQueue {
  private readonly lines: Record<Asker['kind'], Line>;
  private running = 0;
  private last: Asker['kind'] = 'stranger';

  constructor(
    private readonly atOnce: number,
    waiting: number,
  ) {
    this.lines = { known: new Line(waiting), stranger: new Line(waiting) };
  }

  /** Does `work` when it is its turn. Fails with `unavailable` where too many wait. */
  async run<T>({ kind, key }: Asker, work: () => Promise<T>): Promise<T> {
    if (this.running < this.atOnce) this.running++;
    else await new Promise<void>((begin, refuse) => this.lines[kind].add(key, { begin, refuse }));
    try {
      return await work();
    } finally {
      this.handOver();
    }
  }

  /** Gives the place that has become free to whoever is next. */
  private handOver(): void {
    const turn = this.last === 'known' ? 'stranger' : 'known';
    for (const kind of [turn, this.last] as const) {
      const next = this.lines[kind].next();
      if (!next) continue;
      this.last = kind;
      next.begin();
      return;
    }
    this.running--;
  }
}
