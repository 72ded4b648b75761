import { describe, expect, test } from 'bun:test';
import { crowdWorld, groupWorld, hubWorld, pairsWorld } from './world.ts';

describe('a world', () => {
  test('of pairs shares its history out to the last message', () => {
    const { conversations } = pairsWorld(7, 100);
    expect(conversations.reduce((sum, { seq }) => sum + seq, 0)).toBe(100);
    expect(new Set(conversations.flatMap(({ members }) => members)).size).toBe(14);
  });

  test('of a crowd puts everybody into as many groups as all others, of people of their own community', () => {
    const { users, conversations } = crowdWorld(3, 40, 12, 10);
    const groupsOf = new Map<number, number>();
    for (const { members } of conversations) {
      expect(new Set(members).size).toBe(10);
      expect(new Set(members.map((member) => Math.floor(member / 40))).size).toBe(1);
      for (const member of members) groupsOf.set(member, (groupsOf.get(member) ?? 0) + 1);
    }
    expect(groupsOf.size).toBe(users.length);
    expect(new Set(groupsOf.values())).toEqual(new Set([12]));
  });

  test('is the same at every run', () => {
    expect(groupWorld(5)).toEqual(groupWorld(5));
    expect(hubWorld(3, 10).conversations.map(({ id }) => id)).toEqual(
      pairsWorld(3, 10).conversations.map(({ id }) => id),
    );
  });
});
