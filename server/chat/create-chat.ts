import type { Core } from '../core.ts';
import { sweepEvents } from '../database/conversation-events.ts';
import type { Part } from '../part.ts';
import type { ConversationSource } from '../realtime/conversation-source.ts';
import type { UsersService } from '../users/service.ts';
import { conversationRoutes } from './conversation-routes.ts';
import { ConversationRepository } from './conversations/conversation-repository.ts';
import { Departures } from './conversations/departures.ts';
import { EventPresenter } from './events/event-presenter.ts';
import { EventRepository } from './events/event-repository.ts';
import { EventFeed } from './events/feed.ts';
import { chatFrames } from './frames.ts';
import { createLog } from './log/create-log.ts';
import { createMarks } from './marks/create-marks.ts';
import { messageRoutes } from './message-routes.ts';
import { clearKeptTexts } from './messages/kept-texts.ts';
import { MessagePresenter } from './messages/message-presenter.ts';
import { MessageRepository } from './messages/message-repository.ts';
import { presentNewMessage } from './model/presenter.ts';
import { CatchUpReader } from './reading/catch-up.ts';
import { ChangesReader } from './reading/changes-reader.ts';
import { ChatReader } from './reading/reader.ts';
import { SharedChanges } from './reading/shared-changes.ts';
import { ChatService } from './service.ts';
import { StoredBytes } from './usage/stored-bytes.ts';
import { UsageRepository } from './usage/usage-repository.ts';

/** It is looked so often for deleted accounts that are still in a group, in milliseconds. */
const DEPARTURES_MS = 600_000;
/** Until all are gone, texts that a version before kept are looked for so often, in milliseconds. */
const KEPT_TEXTS_MS = 3_600_000;
/** What consumers were told of is deleted so often where it is old, in milliseconds. */
const EVENTS_SWEEP_MS = 600_000;

export interface Chat extends Part {
  chat: ChatService;
  /** All conversations, for the program's own consumers. */
  feed: EventFeed;
  /** What sockets are told from. */
  source: ConversationSource;
  requireMembership: ChatReader['requireMembership'];
}

/** Conversations and messages: the log, what people do in it, and what they read of it. */
export function createChat(core: Core, { users }: { users: UsersService }): Chat {
  const { config, logger, lifecycle, database, bus, limits, epoch } = core;
  const conversations = new ConversationRepository(database);
  const messages = new MessageRepository(database);
  const messagePresenter = new MessagePresenter(messages, users);
  const reading = { database, conversations, messages, messagePresenter, users, epoch };
  const read = new ChatReader(reading);
  const changes = new ChangesReader(reading);
  const shared = new SharedChanges({ bus, changesForAll: (id, query) => changes.changesForAll(id, query) });
  lifecycle.onNewEpoch('shared changes', () => shared.forget());

  const usage = new UsageRepository(database);
  const stored = new StoredBytes({ repository: usage, max: config.chat.max_stored_bytes, log: logger });
  // When the log is flushed.
  lifecycle.onStop('hang-up', 'stored bytes', () => stored.stop());
  lifecycle.onNewEpoch('stored bytes', () => stored.forget());
  const messageLog = createLog(core, { present: presentNewMessage, noteStored: stored.note });
  const marks = createMarks(core);
  const chat = new ChatService({
    database,
    conversations,
    messages,
    messagePresenter,
    read,
    changes,
    catchUp: new CatchUpReader(read, changes, shared),
    users,
    bus,
    messageLog,
    marks,
    stored,
    noteStored: stored.note,
    room: { usage, max: config.chat.max_conversations },
    limits,
    maxMessageLength: config.chat.max_message_length,
    maxGroupSize: config.chat.max_group_size,
  });

  const departures = new Departures({ database, conversations, messages, users, bus, logger });
  users.onDeleted((userId) => departures.leaveAllGroups(userId));
  if (config.roles.includes('api')) lifecycle.onStart('departures', () => departures.start());
  lifecycle.onStop('flush', 'departures', () => departures.stop());

  const events = new EventRepository(database);
  const presenter = new EventPresenter({ database, messages, messagePresenter, users, events });
  return {
    chat,
    feed: new EventFeed({ database, conversations, messages, events, presenter }),
    source: {
      listHeads: (userId) => conversations.listHeads(userId),
      findHead: (userId, conversationId) => conversations.findHead(userId, conversationId),
      changesSince: (conversationId, query) => changes.changesForAll(conversationId, query),
      marksSince: (conversationId, marksRev) => conversations.listChangedMarks(conversationId, marksRev),
      usernameOf: async (userId) => (await users.publicUsers([userId])).get(userId)?.username,
    },
    requireMembership: (actor, conversationId) => read.requireMembership(actor, conversationId),
    routes: [conversationRoutes(chat), messageRoutes(chat)],
    frames: chatFrames({ chat, marks }),
    duties: [
      { name: 'departures', everyMs: DEPARTURES_MS, run: (signal) => departures.sweep(signal) },
      { name: 'conversation-events', everyMs: EVENTS_SWEEP_MS, run: (signal) => sweepEvents(database, { signal }) },
      { name: 'kept-texts', everyMs: KEPT_TEXTS_MS, run: (signal) => clearKeptTexts(database, signal) },
    ],
  };
}
