import { createRoute, z } from '@hono/zod-openapi';
import { Emoji } from '../../protocol/events.ts';
import {
  Cursor,
  counterQuery,
  EditMessageBody,
  pageLimit,
  ReadBody,
  SendMessageBody,
} from '../../protocol/requests.ts';
import { Changes, Mark, Message } from '../../protocol/resources.ts';
import { Counter, Id } from '../../protocol/schemas.ts';
import { longJson } from '../http/long-answers.ts';
import {
  createRouter,
  failures,
  jsonAnswer,
  jsonBody,
  type Router,
  SIGNED_IN,
  SIGNED_IN_READ,
} from '../http/router.ts';
import type { ChatService } from './service.ts';

const CONVERSATION = '/api/v1/conversations/{id}';
const MESSAGE = `${CONVERSATION}/messages/{message_id}` as const;
const REACTION = `${MESSAGE}/reactions/{emoji}` as const;

const ConversationParams = z.object({ id: Id });
const MessageParams = z.object({ id: Id, message_id: Id });
const ReactionParams = MessageParams.extend({ emoji: Emoji });

const HistoryQuery = z.object({
  limit: pageLimit(50, 100),
  cursor: Cursor,
  around: Id.optional().meta({ description: 'Opens the page around this message' }),
});
const ChangesQuery = z.object({
  since: counterQuery('since').meta({ description: 'The `rev` that the caller holds' }),
  marks_since: counterQuery('marks_since').optional().meta({ description: 'The `marks_rev` that the caller holds' }),
  limit: pageLimit(500, 1000),
});

const base = { ...SIGNED_IN, tags: ['Messages'] };
const reading = { ...SIGNED_IN_READ, tags: ['Messages'] };

const history = createRoute({
  ...reading,
  method: 'get',
  path: `${CONVERSATION}/messages`,
  summary: 'History, the newest page first, oldest to newest inside a page',
  request: { params: ConversationParams, query: HistoryQuery },
  responses: {
    200: jsonAnswer(
      'A page, at least as new as `rev`',
      z.object({
        messages: z.array(Message),
        has_more: z.boolean(),
        next_cursor: z.string().optional(),
        rev: Counter,
      }),
    ),
    ...failures('validation_failed', 'conversation_not_found', 'message_not_found', 'rate_limited'),
  },
});

const send = createRoute({
  ...base,
  method: 'post',
  path: `${CONVERSATION}/messages`,
  summary: 'Send a message',
  description: 'Answered once it is on stable storage. The same `client_id` again gives the same message, with 200.',
  request: { params: ConversationParams, body: jsonBody(SendMessageBody) },
  responses: {
    200: jsonAnswer('The message that was sent with this `client_id` before', Message),
    201: jsonAnswer('The message', Message),
    ...failures('validation_failed', 'conversation_not_found', 'message_not_found', 'rate_limited', 'unavailable'),
  },
});

const edit = createRoute({
  ...base,
  method: 'patch',
  path: MESSAGE,
  summary: 'Edit a message of one’s own',
  description: 'With `if_rev`, only what still stands at that `rev`. The same content again changes nothing.',
  request: { params: MessageParams, body: jsonBody(EditMessageBody) },
  responses: {
    200: jsonAnswer('The message as it now stands', Message),
    ...failures(
      'validation_failed',
      'forbidden',
      'conversation_not_found',
      'message_not_found',
      'stale',
      'rate_limited',
    ),
  },
});

const remove = createRoute({
  ...base,
  method: 'delete',
  path: MESSAGE,
  summary: 'Delete a message: its sender, or an admin of the group',
  description: 'It stays as a tombstone, with empty content and `deleted_at`.',
  request: { params: MessageParams },
  responses: {
    200: jsonAnswer('The tombstone', Message),
    ...failures('forbidden', 'conversation_not_found', 'message_not_found', 'rate_limited'),
  },
});

const reactionAnswers = {
  200: jsonAnswer('The message as it now stands', Message),
  ...failures('validation_failed', 'conversation_not_found', 'message_not_found', 'stale', 'rate_limited'),
};

const addReaction = createRoute({
  ...base,
  method: 'put',
  path: REACTION,
  summary: 'React to a message',
  request: { params: ReactionParams },
  responses: reactionAnswers,
});

const removeReaction = createRoute({
  ...base,
  method: 'delete',
  path: REACTION,
  summary: 'Take a reaction back',
  request: { params: ReactionParams },
  responses: reactionAnswers,
});

const markRead = createRoute({
  ...base,
  method: 'post',
  path: `${CONVERSATION}/read`,
  summary: 'Move one’s read mark, never back',
  description:
    'Answered once it is written, within about a second. A mark beyond the newest message counts as that message.',
  request: { params: ConversationParams, body: jsonBody(ReadBody) },
  responses: {
    200: jsonAnswer('The caller’s marks', Mark),
    ...failures('validation_failed', 'conversation_not_found', 'unavailable'),
  },
});

const changes = createRoute({
  ...reading,
  method: 'get',
  path: `${CONVERSATION}/changes`,
  summary: 'What changed since a `rev`',
  description: 'Works after a second or a year. Too far behind, it answers `reset: true`: load the newest page.',
  request: { params: ConversationParams, query: ChangesQuery },
  responses: {
    200: jsonAnswer('The changes', Changes),
    ...failures('validation_failed', 'conversation_not_found', 'resync_required', 'rate_limited'),
  },
});

/** Messages, reactions, marks and changes over REST (PROTOCOL.md §5, §7.3). */
export function messageRoutes(chat: ChatService): Router {
  return createRouter()
    .openapi(history, async (c) => {
      const { id } = c.req.valid('param');
      const page = await chat.read.history(c.var.caller, id, c.req.valid('query'));
      const { messages, nextCursor, rev } = page;
      return longJson(c, { messages, has_more: nextCursor !== undefined, next_cursor: nextCursor, rev });
    })
    .openapi(send, async (c) => {
      const { id } = c.req.valid('param');
      const message = { ...c.req.valid('json'), conversation_id: id };
      const receipt = await chat.send(c.var.caller, message);
      return c.json(await chat.read.sent(c.var.caller, message, receipt), receipt.known ? 200 : 201);
    })
    .openapi(edit, async (c) => {
      const key = keyOf(c.req.valid('param'));
      const edited = await chat.edit(c.var.caller, key, c.req.valid('json'));
      return c.json(await chat.read.afterChange(c.var.caller, edited), 200);
    })
    .openapi(remove, async (c) => c.json(await chat.delete(c.var.caller, keyOf(c.req.valid('param'))), 200))
    .openapi(addReaction, async (c) => {
      const key = keyOf(c.req.valid('param'));
      const message = await chat.react(c.var.caller, key, { emoji: c.req.valid('param').emoji, add: true });
      return c.json(await chat.read.afterChange(c.var.caller, message), 200);
    })
    .openapi(removeReaction, async (c) => {
      const key = keyOf(c.req.valid('param'));
      const message = await chat.react(c.var.caller, key, { emoji: c.req.valid('param').emoji, add: false });
      return c.json(await chat.read.afterChange(c.var.caller, message), 200);
    })
    .openapi(markRead, async (c) => {
      const { id } = c.req.valid('param');
      return c.json(await chat.markRead(c.var.caller, id, c.req.valid('json').seq), 200);
    })
    .openapi(changes, async (c) => {
      const { id } = c.req.valid('param');
      return longJson(c, await chat.changes.changes(c.var.caller, id, c.req.valid('query')));
    });
}

function keyOf({ id, message_id }: z.output<typeof MessageParams>) {
  return { conversationId: id, messageId: message_id };
}
