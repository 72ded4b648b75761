import { createRoute, z } from '@hono/zod-openapi';
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
import { longJson, writtenJson } from '../http/long-answers.ts';
import {
  createRouter,
  failures,
  jsonAnswer,
  jsonBody,
  type Router,
  SIGNED_IN,
  SIGNED_IN_READ,
  SIGNED_IN_SYNC,
} from '../http/router.ts';
import type { ChatService } from './service.ts';

const CONVERSATIONS = '/api/v1/conversations';
const CONVERSATION = `${CONVERSATIONS}/{id}` as const;
const PARTICIPANT = `${CONVERSATION}/participants/{user_id}` as const;

const ConversationParams = z.object({ id: Id });
const ParticipantParams = z.object({ id: Id, user_id: Id });
const Created = Entry.extend({ is_new: z.boolean() }).meta({ id: 'CreatedEntry' });
const Done = z.object({ success: z.literal(true) });

const base = { ...SIGNED_IN, tags: ['Conversations'] };
const reading = { ...SIGNED_IN_READ, tags: ['Conversations'] };

const create = createRoute({
  ...base,
  method: 'post',
  path: CONVERSATIONS,
  summary: 'Open a direct conversation, or make a group',
  description: 'A direct conversation is one per pair, for ever: the one that stands is answered with 200.',
  request: { body: jsonBody(CreateConversationBody) },
  responses: {
    200: jsonAnswer('The direct conversation that stands', Created),
    201: jsonAnswer('The new conversation', Created),
    ...failures('validation_failed', 'user_not_found', 'rate_limited'),
  },
});

const list = createRoute({
  ...reading,
  method: 'get',
  path: CONVERSATIONS,
  summary: 'The caller’s conversations, latest activity first',
  request: { query: z.object({ limit: pageLimit(100, 100), cursor: Cursor }) },
  responses: {
    200: jsonAnswer(
      'A page',
      z.object({ conversations: z.array(Entry), count: z.int(), next_cursor: z.string().optional() }),
    ),
    ...failures('validation_failed', 'rate_limited'),
  },
});

const sync = createRoute({
  ...reading,
  method: 'get',
  path: '/api/v1/sync',
  summary: 'Where all of the caller’s conversations stand',
  description: 'What a client asks after it was away: it fetches the changes of each conversation that is behind.',
  request: { query: z.object({ limit: pageLimit(1000, 1000), cursor: Cursor }) },
  responses: {
    200: jsonAnswer('A page of heads, in id order', Sync),
    ...failures('validation_failed', 'rate_limited'),
  },
});

const catchUp = createRoute({
  ...SIGNED_IN_SYNC,
  tags: ['Conversations'],
  method: 'post',
  path: '/api/v1/sync',
  summary: 'Where all of the caller’s conversations stand, and what changed in them',
  description:
    'The same as `GET`, for a client that says what it holds: the changes come with the heads, rather than each at a request of its own.',
  request: { body: jsonBody(SyncBody) },
  responses: {
    200: jsonAnswer('A page of heads, in id order', CatchUp),
    ...failures('validation_failed', 'rate_limited', 'unavailable'),
  },
});

const read = createRoute({
  ...reading,
  method: 'get',
  path: CONVERSATION,
  summary: 'One conversation',
  request: { params: ConversationParams },
  responses: { 200: jsonAnswer('The entry', Entry), ...failures('conversation_not_found', 'rate_limited') },
});

const update = createRoute({
  ...base,
  method: 'patch',
  path: CONVERSATION,
  summary: 'Rename a group',
  request: { params: ConversationParams, body: jsonBody(UpdateConversationBody) },
  responses: {
    200: jsonAnswer('The entry', Entry),
    ...failures('validation_failed', 'forbidden', 'conversation_not_found', 'rate_limited'),
  },
});

const listParticipants = createRoute({
  ...reading,
  method: 'get',
  path: `${CONVERSATION}/participants`,
  summary: 'Who is in a conversation, longest first',
  request: { params: ConversationParams, query: z.object({ limit: pageLimit(100, 500), cursor: Cursor }) },
  responses: {
    200: jsonAnswer('A page', z.object({ participants: z.array(Participant), next_cursor: z.string().optional() })),
    ...failures('validation_failed', 'conversation_not_found', 'rate_limited'),
  },
});

const addParticipants = createRoute({
  ...base,
  method: 'post',
  path: `${CONVERSATION}/participants`,
  summary: 'Add people to a group',
  request: { params: ConversationParams, body: jsonBody(AddParticipantsBody) },
  responses: {
    200: jsonAnswer('The entry', Entry),
    ...failures('validation_failed', 'forbidden', 'conversation_not_found', 'user_not_found', 'rate_limited'),
  },
});

const removeParticipant = createRoute({
  ...base,
  method: 'delete',
  path: PARTICIPANT,
  summary: 'Leave a group, or remove somebody from it',
  request: { params: ParticipantParams },
  responses: {
    200: jsonAnswer('They are out', Done),
    ...failures('forbidden', 'conversation_not_found', 'user_not_found', 'cannot_leave_direct', 'rate_limited'),
  },
});

const updateParticipant = createRoute({
  ...base,
  method: 'patch',
  path: PARTICIPANT,
  summary: 'Promote or demote somebody',
  request: { params: ParticipantParams, body: jsonBody(UpdateParticipantBody) },
  responses: {
    200: jsonAnswer('The entry', Entry),
    ...failures('validation_failed', 'forbidden', 'conversation_not_found', 'user_not_found', 'rate_limited'),
  },
});

/** Conversations and their people over REST (PROTOCOL.md §4). */
export function conversationRoutes(chat: ChatService): Router {
  return createRouter()
    .openapi(create, async (c) => {
      const { caller } = c.var;
      const body = c.req.valid('json');
      if (body.name !== undefined) {
        const byEmail = await chat.findByEmails(caller, body.participant_emails ?? []);
        const memberIds = [...(body.participant_ids ?? []), ...byEmail];
        const id = await chat.createGroup(caller, { name: body.name, memberIds });
        return longJson(c, { ...(await chat.read.entry(caller, id)), is_new: true }, 201);
      }
      const [byEmail] = await chat.findByEmails(caller, body.participant_email ? [body.participant_email] : []);
      const { id, isNew } = await chat.openDirect(caller, body.participant_id ?? byEmail!);
      return c.json({ ...(await chat.read.entry(caller, id)), is_new: isNew }, isNew ? 201 : 200);
    })
    .openapi(list, async (c) => {
      const { entries, nextCursor } = await chat.read.listConversations(c.var.caller, c.req.valid('query'));
      return longJson(c, { conversations: entries, count: entries.length, next_cursor: nextCursor });
    })
    .openapi(sync, async (c) => longJson(c, await chat.read.sync(c.var.caller, c.req.valid('query'))))
    .openapi(catchUp, async (c) => {
      // Parts of it are written as JSON once for many.
      return writtenJson<CatchUp>(c, await chat.catchUp.answer(c.var.caller, c.req.valid('json')));
    })
    .openapi(read, async (c) => longJson(c, await chat.read.entry(c.var.caller, c.req.valid('param').id)))
    .openapi(update, async (c) => {
      const { id } = c.req.valid('param');
      await chat.rename(c.var.caller, id, c.req.valid('json').name);
      return longJson(c, await chat.read.entry(c.var.caller, id));
    })
    .openapi(listParticipants, async (c) => {
      const { id } = c.req.valid('param');
      const { participants, nextCursor } = await chat.read.listParticipants(c.var.caller, id, c.req.valid('query'));
      return longJson(c, { participants, next_cursor: nextCursor });
    })
    .openapi(addParticipants, async (c) => {
      const { id } = c.req.valid('param');
      await chat.addParticipants(c.var.caller, id, c.req.valid('json').user_ids);
      return longJson(c, await chat.read.entry(c.var.caller, id));
    })
    .openapi(removeParticipant, async (c) => {
      const { id, user_id } = c.req.valid('param');
      await chat.removeParticipant(c.var.caller, id, user_id);
      return c.json({ success: true as const }, 200);
    })
    .openapi(updateParticipant, async (c) => {
      const { id, user_id } = c.req.valid('param');
      await chat.changeRole(c.var.caller, id, { userId: user_id, role: c.req.valid('json').participant_role });
      return longJson(c, await chat.read.entry(c.var.caller, id));
    });
}
