import type { World } from '../world.ts';

/** Gives a peer the world: who is in which conversation. */
export async function introduceToPeer({ users, conversations }: World, url: string): Promise<void> {
  const body = {
    conversations: conversations.map(({ id, members }) => ({
      id,
      members: members.map((member) => users[member]!.id),
    })),
  };
  const response = await fetch(`${url}/setup`, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST /setup answered ${response.status}: ${await response.text()}`);
}
