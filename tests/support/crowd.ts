import type { Conversation } from './load.ts';
import { type Person, signUp } from './people.ts';
import type { TestServer } from './server.ts';

export interface CrowdOptions {
  people: number;
  /** Their sizes. */
  groups: number[];
}

/** People in direct conversations, each with the next, and in groups of the given sizes, each of other people. */
export async function gather(server: TestServer, { people: count, groups }: CrowdOptions): Promise<Conversation[]> {
  const people = await Promise.all(Array.from({ length: count }, () => signUp(server, 'talker')));
  const at = (index: number): Person => people[index % count]!;
  const directs = people.map(async (person, index): Promise<Conversation> => {
    const other = at(index + 1);
    return { id: await person.direct(other), members: [person, other] };
  });
  const circles = groups.map(async (size, index): Promise<Conversation> => {
    const members = Array.from({ length: size }, (_, offset) => at(index * 3 + offset));
    return { id: await members[0]!.group(members.slice(1)), members };
  });
  return Promise.all([...directs, ...circles]);
}
