import type { Entry, Message, Participant, Sync } from '../../../protocol/resources.ts';
import type { Snapshot } from './client.ts';
import type { Person } from './person.ts';

/** Where all conversations of somebody stand, as one text: it moves with every change and every mark. */
export async function headsOf(person: Person): Promise<string> {
  const heads: Sync['conversations'] = [];
  for (let cursor = ''; ; ) {
    const page = await read<Sync>(person, `/sync?limit=100${cursor}`);
    heads.push(...page.conversations);
    if (page.next_cursor === undefined) return JSON.stringify(heads);
    cursor = `&cursor=${page.next_cursor}`;
  }
}

/** All that somebody can see now, read anew; histories as far back as their stores hold them. */
export async function readFresh(person: Person, held: Snapshot): Promise<Snapshot> {
  const fresh: Snapshot = new Map();
  for (let cursor = ''; ; ) {
    const path = `/conversations?limit=100${cursor}`;
    const page = await read<{ conversations: Entry[]; next_cursor?: string }>(person, path);
    for (const { conversation, last_message, unread_count, read_seq } of page.conversations) {
      const { id } = conversation;
      const messages = await readHistory(person, id, held.get(id)?.messages[0]?.seq ?? conversation.seq);
      const participants = await readParticipants(person, id);
      fresh.set(id, { conversation, last_message, unread_count, read_seq, messages, participants });
    }
    if (page.next_cursor === undefined) return fresh;
    cursor = `&cursor=${page.next_cursor}`;
  }
}

async function readHistory(person: Person, id: string, from: number): Promise<Message[]> {
  const messages: Message[] = [];
  for (let cursor = ''; ; ) {
    const path = `/conversations/${id}/messages?limit=100${cursor}`;
    const page = await read<{ messages: Message[]; next_cursor?: string }>(person, path);
    messages.unshift(...page.messages);
    if (page.next_cursor === undefined || (messages[0]?.seq ?? 0) <= from) break;
    cursor = `&cursor=${page.next_cursor}`;
  }
  return messages.filter(({ seq }) => seq >= from);
}

async function readParticipants(person: Person, id: string): Promise<Participant[]> {
  const participants: Participant[] = [];
  for (let cursor = ''; ; ) {
    const path = `/conversations/${id}/participants?limit=500${cursor}`;
    const page = await read<{ participants: Participant[]; next_cursor?: string }>(person, path);
    participants.push(...page.participants);
    if (page.next_cursor === undefined) return participants;
    cursor = `&cursor=${page.next_cursor}`;
  }
}

async function read<T>(person: Person, path: string): Promise<T> {
  const answer = await person.call('GET', path);
  if (answer?.status !== 200) throw new Error(`${path} was answered ${JSON.stringify(answer)}`);
  return answer.body;
}
