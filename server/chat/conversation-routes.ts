import { z } from '@hono/zod-openapi';
import { PAGE_SIZES } from '../../protocol/limits.ts';
import {
  AddParticipantsBody,
  CreateConversationBody,
  Cursor,
  pageLimit,
  SyncBody,
  UpdateConversationBody,
  UpdateParticipantBody,
} from '../../protocol/requests.ts';
import { CatchUp, Entry, Participant, Sync } from '../../protocol/resources.ts';
import { Id } from '../../protocol/schemas.ts';
import { WrittenJson, withStatus } from '../http/answer.ts';
import { answer } from '../http/declared-answers.ts';
import { mount, signedInRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import type { ChatService } from './service.ts';

const CONVERSATIONS = '/api/v1/conversations';
const CONVERSATION = `${CONVERSATIONS}/{id}` as const;
const PARTICIPANT = `${CONVERSATION}/participants/{user_id}` as const;

const ConversationParams = z.object({ id: Id });
const ParticipantParams = z.object({ id: Id, user_id: Id });
const Created = Entry.extend({ is_new: z.boolean() }).meta({ id: 'CreatedEntry' });
const Done = z.object({ success: z.literal(true) });

const TAG = 'Conversations';

const createConversation = signedInRoute({
  method: 'post',
  path: CONVERSATIONS,
  operationId: 'createConversation',
  tag: TAG,
  summary: 'Open a direct conversation, or make a group',
  description: 'A direct conversation is one per pair, for ever: the one that stands is answered with 200.',
  request: { body: CreateConversationBody },
  answers: {
    200: answer('The direct conversation that stands', Created),
    201: answer('The new conversation', Created),
  },
  fails: ['user_not_found', 'group_full', 'conversations_full', 'quota_exceeded'],
});

const listConversations = signedInRoute({
  method: 'get',
  path: CONVERSATIONS,
  operationId: 'listConversations',
  tag: TAG,
  summary: 'The caller’s conversations, latest activity first',
  reads: 'page',
  request: { query: z.object({ limit: pageLimit(PAGE_SIZES.conversations), cursor: Cursor }) },
  answers: {
    200: answer(
      'A page',
      z.object({ conversations: z.array(Entry), count: z.int(), next_cursor: z.string().optional() }),
    ),
  },
});

const getHeads = signedInRoute({
  method: 'get',
  path: '/api/v1/sync',
  operationId: 'getHeads',
  tag: TAG,
  summary: 'Where all of the caller’s conversations stand',
  description: 'What a client asks after it was away: it fetches the changes of each conversation that is behind.',
  reads: 'page',
  request: { query: z.object({ limit: pageLimit(PAGE_SIZES.sync), cursor: Cursor }) },
  answers: {
    200: answer('A page of heads, in id order', Sync),
  },
});

const sync = signedInRoute({
  method: 'post',
  path: '/api/v1/sync',
  operationId: 'sync',
  tag: TAG,
  summary: 'Where all of the caller’s conversations stand, and what changed in them',
  description:
    'The same as `GET`, for a client that says what it holds: the changes come with the heads, rather than each at a request of its own.',
  reads: 'sync',
  request: { body: SyncBody },
  answers: {
    200: answer('A page of heads, in id order', CatchUp),
  },
});

const getConversation = signedInRoute({
  method: 'get',
  path: CONVERSATION,
  operationId: 'getConversation',
  tag: TAG,
  summary: 'One conversation',
  reads: 'page',
  request: { params: ConversationParams },
  answers: { 200: answer('The entry', Entry) },
  fails: ['conversation_not_found'],
});

const updateConversation = signedInRoute({
  method: 'patch',
  path: CONVERSATION,
  operationId: 'updateConversation',
  tag: TAG,
  summary: 'Rename a group',
  request: { params: ConversationParams, body: UpdateConversationBody },
  answers: {
    200: answer('The entry', Entry),
  },
  fails: ['forbidden', 'conversation_not_found', 'quota_exceeded'],
});

const listParticipants = signedInRoute({
  method: 'get',
  path: `${CONVERSATION}/participants`,
  operationId: 'listParticipants',
  tag: TAG,
  summary: 'Who is in a conversation, longest first',
  reads: 'page',
  request: {
    params: ConversationParams,
    query: z.object({ limit: pageLimit(PAGE_SIZES.participants), cursor: Cursor }),
  },
  answers: {
    200: answer('A page', z.object({ participants: z.array(Participant), next_cursor: z.string().optional() })),
  },
  fails: ['conversation_not_found'],
});

const addParticipants = signedInRoute({
  method: 'post',
  path: `${CONVERSATION}/participants`,
  operationId: 'addParticipants',
  tag: TAG,
  summary: 'Add people to a group',
  request: { params: ConversationParams, body: AddParticipantsBody },
  answers: {
    200: answer('The entry', Entry),
  },
  fails: [
    'forbidden',
    'conversation_not_found',
    'user_not_found',
    'group_full',
    'conversations_full',
    'quota_exceeded',
  ],
});

const removeParticipant = signedInRoute({
  method: 'delete',
  path: PARTICIPANT,
  operationId: 'removeParticipant',
  tag: TAG,
  summary: 'Leave a group, or remove somebody from it',
  request: { params: ParticipantParams },
  answers: {
    200: answer('They are out', Done),
  },
  fails: ['forbidden', 'conversation_not_found', 'user_not_found', 'cannot_leave_direct'],
});

const updateParticipant = signedInRoute({
  method: 'patch',
  path: PARTICIPANT,
  operationId: 'updateParticipant',
  tag: TAG,
  summary: 'Promote or demote somebody',
  request: { params: ParticipantParams, body: UpdateParticipantBody },
  answers: {
    200: answer('The entry', Entry),
  },
  fails: ['forbidden', 'conversation_not_found', 'user_not_found'],
});

/** Conversations and their people over REST (PROTOCOL.md §4). */
export function conversationRoutes(chat: ChatService): Router {
  const router = createRouter();

  mount(router, createConversation, async (c) => {
    const { caller } = c.var;
    const body = c.req.valid('json');
    if (body.name !== undefined) {
      const byEmail = await chat.findByEmails(caller, body.participant_emails ?? []);
      const memberIds = [...(body.participant_ids ?? []), ...byEmail];
      const id = await chat.createGroup(caller, { name: body.name, memberIds });
      return withStatus(201, { ...(await chat.read.entry(caller, id)), is_new: true });
    }
    const [byEmail] = await chat.findByEmails(caller, body.participant_email ? [body.participant_email] : []);
    const { id, isNew } = await chat.openDirect(caller, body.participant_id ?? byEmail!);
    return withStatus(isNew ? 201 : 200, { ...(await chat.read.entry(caller, id)), is_new: isNew });
  });

  mount(router, listConversations, async (c) => {
    const { entries, nextCursor } = await chat.read.listConversations(c.var.caller, c.req.valid('query'));
    return { conversations: entries, count: entries.length, next_cursor: nextCursor };
  });

  mount(router, getHeads, (c) => chat.read.sync(c.var.caller, c.req.valid('query')));

  // Parts of it are written as JSON once for many.
  mount(router, sync, async (c) => new WrittenJson(await chat.catchUp.answer(c.var.caller, c.req.valid('json'))));

  mount(router, getConversation, (c) => chat.read.entry(c.var.caller, c.req.valid('param').id));

  mount(router, updateConversation, async (c) => {
    const { id } = c.req.valid('param');
    await chat.rename(c.var.caller, id, c.req.valid('json').name);
    return chat.read.entry(c.var.caller, id);
  });

  mount(router, listParticipants, async (c) => {
    const { id } = c.req.valid('param');
    const { participants, nextCursor } = await chat.read.listParticipants(c.var.caller, id, c.req.valid('query'));
    return { participants, next_cursor: nextCursor };
  });

  mount(router, addParticipants, async (c) => {
    const { id } = c.req.valid('param');
    await chat.addParticipants(c.var.caller, id, c.req.valid('json').user_ids);
    return chat.read.entry(c.var.caller, id);
  });

  mount(router, removeParticipant, async (c) => {
    const { id, user_id } = c.req.valid('param');
    await chat.removeParticipant(c.var.caller, id, user_id);
    return { success: true };
  });

  mount(router, updateParticipant, async (c) => {
    const { id, user_id } = c.req.valid('param');
    await chat.changeRole(c.var.caller, id, { userId: user_id, role: c.req.valid('json').participant_role });
    return chat.read.entry(c.var.caller, id);
  });

  return router;
}
