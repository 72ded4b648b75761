import { Host } from './host.ts';
import { Person } from './person.ts';
import { Truth } from './truth.ts';

const PEOPLE = 6;
const OUTSIDERS = 2;

/** A server and the people on it, who play one seed after the other: accounts are dear, conversations are not. */
export class Lane {
  /** Seeds that were played. */
  plays = 0;

  private constructor(
    readonly host: Host,
    readonly people: Person[],
    readonly outsiders: Person[],
    readonly truth: Truth,
  ) {}

  static async start(options: { repair?: boolean } = {}): Promise<Lane> {
    const host = await Host.start(options);
    const truth = await Truth.open(host.server);
    const signUp = (name: string, count: number) =>
      Promise.all(Array.from({ length: count }, (_, index) => Person.signUp(host, `${name}-${index}`)));
    return new Lane(host, await signUp('member', PEOPLE), await signUp('outsider', OUTSIDERS), truth);
  }

  get everybody(): Person[] {
    return [...this.people, ...this.outsiders];
  }

  /** Whose device each client is: everybody has one, the first of the people has two. */
  devices(): Person[] {
    return [this.people[0]!, ...this.people];
  }

  async close(): Promise<void> {
    for (const person of this.everybody) person.startAnew();
    await this.truth.close();
  }
}
