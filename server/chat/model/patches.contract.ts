import { afterEach, beforeEach, expect, test } from 'bun:test';
import { addGroup, addUsers, type TestDatabase } from '../../../tests/support/databases.ts';
import { ConversationRepository } from '../conversations/conversation-repository.ts';
import { MessageRepository } from '../messages/message-repository.ts';
import type { ConversationPatch, MessagePatch, ParticipantPatch, ParticipantRow } from './rows.ts';

/** What looks like an id, and is text: it must come back as it was. */
const UUID_TEXT = '0199a3f0-8c00-7a00-8000-0000000000aa';

// Every column that may change: one that is added to the schema is missing here until it is named.
const CONVERSATION: Required<ConversationPatch> = {
  name: UUID_TEXT,
  updated_at: 101,
  seq: 102,
  rev: 103,
  meta_rev: 104,
  marks_rev: 105,
};
const MESSAGE: Required<MessagePatch> = { content: UUID_TEXT, rev: 201, edited_at: 202, deleted_at: 203 };
const PARTICIPANT: Required<ParticipantPatch> = {
  role: 'admin',
  joined_at: 301,
  rev: 302,
  left_rev: 303,
  read_seq: 304,
  delivered_seq: 305,
  marks_rev: 306,
};

/** Whatever a change sets is stored, and nothing else is answered; to be run on every driver. */
export function patchesContract(make: () => Promise<TestDatabase>): void {
  let world: TestDatabase;
  let conversations: ConversationRepository;
  let messages: MessageRepository;
  let ada: string;
  let bob: string;
  let group: string;

  beforeEach(async () => {
    world = await make();
    conversations = new ConversationRepository(world.database);
    messages = new MessageRepository(world.database);
    [ada, bob] = (await addUsers(world.database, 2)) as [string, string];
    group = await addGroup(world.database, [ada, bob]);
  });
  afterEach(() => world.close());

  const conversation = async () => (await conversations.findMembership(group, ada))!.conversation;
  const participant = async (userId: string) => (await conversations.findParticipants(group, [userId]))[0]!;

  test('every column of a conversation that may change', async () => {
    const before = await conversation();
    const after = await world.database.transaction((tx) => conversations.advanceConversation(group, CONVERSATION, tx));
    expect(after).toEqual({ ...before, ...CONVERSATION });
    expect(await conversation()).toEqual(after);
  });

  test('every column of a message that may change', async () => {
    const head = { id: Bun.randomUUIDv7(), conversationId: group, senderId: ada, seq: 1, rev: 2, sentAt: 3 };
    const { database } = world;
    const before = await database.transaction((tx) =>
      messages.insertSystemMessage(head, { kind: 'participant_left', by: ada }, tx),
    );
    expect(await messages.findMessage(group, head.id)).toEqual(before);
    const after = await database.transaction((tx) => messages.updateMessage(before, MESSAGE, tx));
    expect(after).toEqual({ ...before, ...MESSAGE });
    expect(await messages.findMessage(group, head.id)).toEqual(after);
  });

  test('every column of a participant that may change, and all but the marks of who comes back', async () => {
    const before = await participant(bob);
    await world.database.transaction((tx) => conversations.updateParticipant(group, bob, PARTICIPANT, tx));
    expect(await participant(bob)).toEqual({ ...before, ...PARTICIPANT });

    const again: ParticipantRow = {
      ...before,
      role: 'member',
      joined_at: 401,
      rev: 402,
      read_seq: 403,
      delivered_seq: 404,
      marks_rev: 0,
    };
    await world.database.transaction((tx) => conversations.putParticipants([again], tx));
    expect(await participant(bob)).toEqual({ ...again, left_rev: null, marks_rev: PARTICIPANT.marks_rev });
  });

  test('a change of what is not there fails, rather than be presented', async () => {
    const nowhere = Bun.randomUUIDv7();
    const { database } = world;
    const changes = [
      database.transaction((tx) => conversations.advanceConversation(nowhere, { rev: 2 }, tx)),
      database.transaction((tx) => messages.updateMessage({ conversation_id: group, seq: 7 }, { rev: 2 }, tx)),
    ];
    for (const failure of await Promise.all(changes.map((change) => change.catch((error) => error)))) {
      expect(failure).toBeInstanceOf(Error);
    }
  });
}
