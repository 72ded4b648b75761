import { afterAll, beforeAll, expect, test } from 'bun:test';
import { addGroup, addUser, SETTLED_AT, sqliteDatabase, type TestDatabase } from '../../../tests/support/databases.ts';
import type { Actor } from '../../shared/actor.ts';
import type { UsersService } from '../../users/service.ts';
import { ConversationRepository } from '../conversations/conversation-repository.ts';
import { MessagePresenter } from '../messages/message-presenter.ts';
import { MessageRepository } from '../messages/message-repository.ts';
import { ChatReader } from './reader.ts';

let world: TestDatabase;
let reader: ChatReader;
let bob: Actor;
let group: string;
let id: string;

beforeAll(async () => {
  world = await sqliteDatabase({ inMemory: true });
  const { database } = world;
  const users = { publicUsers: async () => new Map() } as unknown as UsersService;
  const messages = new MessageRepository(database);
  const messagePresenter = new MessagePresenter(messages, users);
  const conversations = new ConversationRepository(database);
  reader = new ChatReader({ database, conversations, messages, messagePresenter, users, epoch: { current: 'e' } });

  const [alice, userId] = [await addUser(database), await addUser(database)];
  bob = { userId, username: 'bob' };
  group = await addGroup(database, [alice, userId], 1);
  id = Bun.randomUUIDv7();
  const head = { conversation_id: group, id, seq: 1, rev: 9, created_rev: 1, client_id: id, sent_at: SETTLED_AT };
  await database.write
    .insertInto('messages')
    .values({ ...head, sender_id: userId, type: 'text', content: 'what became of it' })
    .execute();
});
afterAll(() => world.close());

/** How the message was when bob had changed it. */
const committed = () => ({
  id,
  conversation_id: group,
  sender_id: bob.userId,
  sender_username: 'bob',
  content: 'as he left it',
  type: 'text' as const,
  sent_at: SETTLED_AT,
  seq: 1,
  rev: 2,
});

test('who changed a message is answered how it now stands, and how they left it once they are out', async () => {
  expect(await reader.afterChange(bob, committed())).toMatchObject({ content: 'what became of it', rev: 9 });
  await world.database.write
    .updateTable('participants')
    .set({ left_rev: 3, rev: 3 })
    .where('user_id', '=', bob.userId)
    .execute();
  expect(await reader.afterChange(bob, committed())).toEqual(committed());
});
