import type { PublicUser } from '../../protocol/resources.ts';
import { MemoryBus } from '../../server/bus/memory.ts';
import {
  addParticipants,
  changeRole,
  removeParticipant,
  renameGroup,
} from '../../server/chat/conversations/change-participants.ts';
import { ConversationRepository } from '../../server/chat/conversations/conversation-repository.ts';
import { createGroup, openDirect } from '../../server/chat/conversations/open-conversation.ts';
import { EventPresenter } from '../../server/chat/events/event-presenter.ts';
import { EventRepository } from '../../server/chat/events/event-repository.ts';
import { EventFeed } from '../../server/chat/events/feed.ts';
import type { LogDriver } from '../../server/chat/log/log-driver.ts';
import { PostgresLog } from '../../server/chat/log/postgres-log.ts';
import { SqliteLog } from '../../server/chat/log/sqlite-log.ts';
import { deleteMessage, editMessage, react } from '../../server/chat/messages/change-message.ts';
import { MessagePresenter } from '../../server/chat/messages/message-presenter.ts';
import { MessageRepository } from '../../server/chat/messages/message-repository.ts';
import type { Storage } from '../../server/database/open-storage.ts';
import type { Actor } from '../../server/shared/actor.ts';
import { createLogger } from '../../server/shared/logger.ts';
import type { UsersService } from '../../server/users/service.ts';
import { addUsers, postgresDatabase, SETTLED_AT, sqliteDatabase } from './databases.ts';

/** Conversations on a database without a server: the program's own operations, by three people who are called by their ids. */
export interface ChatWorld {
  database: Storage;
  feed: EventFeed;
  people: [Actor, Actor, Actor];
  /** Sends a message and answers its id. */
  send(conversationId: string, actor: Actor, content: string): Promise<string>;
  edit(conversationId: string, actor: Actor, messageId: string, content: string): Promise<unknown>;
  delete(conversationId: string, actor: Actor, messageId: string): Promise<unknown>;
  react(conversationId: string, actor: Actor, messageId: string, emoji: string, add: boolean): Promise<unknown>;
  group(actor: Actor, others: Actor[]): Promise<string>;
  direct(actor: Actor, other: Actor): Promise<string>;
  join(conversationId: string, actor: Actor, who: Actor): Promise<void>;
  remove(conversationId: string, actor: Actor, who: Actor): Promise<void>;
  role(conversationId: string, actor: Actor, who: Actor, role: 'admin' | 'member'): Promise<void>;
  rename(conversationId: string, actor: Actor, name: string): Promise<void>;
  close(): Promise<void>;
}

/** A log that says nothing. */
export const silentLog = createLogger({ log_level: 'silent', log_format: 'json' });

export async function sqliteChat(): Promise<ChatWorld> {
  const { database, close } = await sqliteDatabase();
  return chatOn(database, new SqliteLog(database), close);
}

export async function postgresChat(): Promise<ChatWorld> {
  const { database, close } = await postgresDatabase();
  return chatOn(database, new PostgresLog(database), close);
}

async function chatOn(database: Storage, driver: LogDriver, close: () => Promise<void>): Promise<ChatWorld> {
  const nobodyLeaves = async () => {};
  const publicUsers = async (ids: Iterable<string>) => new Map([...ids].map((id) => [id, publicUser(id)]));
  const users = { publicUsers, requireActive: nobodyLeaves } as unknown as UsersService;
  const conversations = new ConversationRepository(database);
  const messages = new MessageRepository(database);
  const messagePresenter = new MessagePresenter(messages, users);
  const events = new EventRepository(database);
  const presenter = new EventPresenter({ database, messages, messagePresenter, users, events });
  const bus = new MemoryBus(silentLog);
  const deps = { database, conversations, messages, users, bus, messagePresenter };
  const people = (await addUsers(database, 3)).map((userId) => ({ userId, username: userId }));
  return {
    database,
    feed: new EventFeed({ database, conversations, messages, events, presenter }),
    people: people as [Actor, Actor, Actor],
    async send(conversationId, { userId }, content) {
      const id = Bun.randomUUIDv7();
      const row = {
        id,
        conversationId,
        senderId: userId,
        clientId: id,
        type: 'text' as const,
        content,
        sentAt: SETTLED_AT,
      };
      const [answer] = await driver.append(() => [row]);
      if (answer?.kind !== 'appended') throw new Error(`a message was ${answer?.kind}`);
      return id;
    },
    edit: (conversationId, actor, messageId, content) =>
      editMessage(deps, actor, { conversationId, messageId }, { content, maxLength: 1000 }),
    delete: (conversationId, actor, messageId) => deleteMessage(deps, actor, { conversationId, messageId }),
    react: (conversationId, actor, messageId, emoji, add) =>
      react(deps, actor, { conversationId, messageId }, { emoji, add }),
    group: (actor, others) =>
      createGroup(deps, actor, { name: 'a group', memberIds: others.map(({ userId }) => userId) }),
    direct: async (actor, other) => (await openDirect(deps, actor, other.userId)).id,
    join: (conversationId, actor, who) =>
      addParticipants({ ...deps, maxGroupSize: 10 }, actor, conversationId, [who.userId]),
    remove: (conversationId, actor, who) => removeParticipant(deps, actor, conversationId, who.userId),
    role: (conversationId, actor, { userId }, role) => changeRole(deps, actor, conversationId, { userId, role }),
    rename: (conversationId, actor, name) => renameGroup(deps, actor, conversationId, name),
    close,
  };
}

function publicUser(id: string): PublicUser {
  return { id, username: id, display_name: id, is_active: true, created_at: SETTLED_AT };
}
