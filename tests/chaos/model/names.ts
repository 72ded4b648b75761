import type { Snapshot } from './client.ts';
import type { Person } from './person.ts';

/** By which name each person goes, by id. */
export type Names = Map<string, string>;

/** The names of people as their own accounts have them. */
export async function namesOf(people: Person[]): Promise<Names> {
  const names: Names = new Map();
  for (const person of people) {
    const answer = await person.call('GET', '/auth/me');
    if (answer?.status !== 200) throw new Error(`/auth/me was answered ${JSON.stringify(answer)}`);
    names.set(person.id, answer.body.display_name);
  }
  return names;
}

/** Where a fresh read shows a name that somebody no longer goes by: the news of the change was lost for good. */
export function oldNames(fresh: Snapshot, names: Names): string[] {
  return [...fresh].flatMap(([id, { participants }]) =>
    participants
      .filter((one) => names.has(one.id) && one.display_name !== names.get(one.id))
      .map((one) => `${id}: a fresh read shows ${one.username} as ${one.display_name}, not ${names.get(one.id)}`),
  );
}
