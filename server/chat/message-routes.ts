import { z } from '@hono/zod-openapi';
import { Emoji } from '../../protocol/events.ts';
import { PAGE_SIZES } from '../../protocol/limits.ts';
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
import { withStatus } from '../http/answer.ts';
import { answer } from '../http/declared-answers.ts';
import { mount, signedInRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import type { ChatService } from './service.ts';

const CONVERSATION = '/api/v1/conversations/{id}';
const MESSAGE = `${CONVERSATION}/messages/{message_id}` as const;
const REACTION = `${MESSAGE}/reactions/{emoji}` as const;

const ConversationParams = z.object({ id: Id });
const MessageParams = z.object({ id: Id, message_id: Id });
const ReactionParams = MessageParams.extend({ emoji: Emoji });

const HistoryQuery = z.object({
  limit: pageLimit(PAGE_SIZES.messages),
  cursor: Cursor,
  around: Id.optional().meta({ description: 'Opens the page around this message' }),
});
const ChangesQuery = z.object({
  since: counterQuery('since').meta({ description: 'The `rev` that the caller holds' }),
  marks_since: counterQuery('marks_since')
    .optional()
    .meta({ description: 'The `marks_rev` that the caller holds', param: { required: false } }),
  limit: pageLimit(PAGE_SIZES.changes),
});

const TAG = 'Messages';

const listMessages = signedInRoute({
  method: 'get',
  path: `${CONVERSATION}/messages`,
  operationId: 'listMessages',
  tag: TAG,
  summary: 'History, the newest page first, oldest to newest inside a page',
  reads: 'page',
  request: { params: ConversationParams, query: HistoryQuery },
  answers: {
    200: answer(
      'A page, at least as new as `rev`',
      z.object({
        messages: z.array(Message),
        has_more: z.boolean(),
        next_cursor: z.string().optional(),
        rev: Counter,
      }),
    ),
  },
  fails: ['conversation_not_found', 'message_not_found'],
});

const sendMessage = signedInRoute({
  method: 'post',
  path: `${CONVERSATION}/messages`,
  operationId: 'sendMessage',
  tag: TAG,
  summary: 'Send a message',
  description: 'Answered once it is on stable storage. The same `client_id` again gives the same message, with 200.',
  request: { params: ConversationParams, body: SendMessageBody },
  answers: {
    200: answer('The message that was sent with this `client_id` before', Message),
    201: answer('The message', Message),
  },
  fails: ['conversation_not_found', 'message_not_found', 'quota_exceeded'],
});

const editMessage = signedInRoute({
  method: 'patch',
  path: MESSAGE,
  operationId: 'editMessage',
  tag: TAG,
  summary: 'Edit a message of one’s own',
  description: 'With `if_rev`, only what still stands at that `rev`. The same content again changes nothing.',
  request: { params: MessageParams, body: EditMessageBody },
  answers: {
    200: answer('The message as it now stands', Message),
  },
  fails: ['forbidden', 'conversation_not_found', 'message_not_found', 'stale', 'quota_exceeded'],
});

const deleteMessage = signedInRoute({
  method: 'delete',
  path: MESSAGE,
  operationId: 'deleteMessage',
  tag: TAG,
  summary: 'Delete a message: its sender, or an admin of the group',
  description: 'It stays as a tombstone, with empty content and `deleted_at`.',
  request: { params: MessageParams },
  answers: {
    200: answer('The tombstone', Message),
  },
  fails: ['forbidden', 'conversation_not_found', 'message_not_found'],
});

const reaction = {
  path: REACTION,
  tag: TAG,
  request: { params: ReactionParams },
  answers: { 200: answer('The message as it now stands', Message) },
  fails: ['conversation_not_found', 'message_not_found', 'stale'],
} as const;

const addReaction = signedInRoute({
  ...reaction,
  method: 'put',
  operationId: 'addReaction',
  summary: 'React to a message',
});

const removeReaction = signedInRoute({
  ...reaction,
  method: 'delete',
  operationId: 'removeReaction',
  summary: 'Take a reaction back',
});

const markRead = signedInRoute({
  method: 'post',
  path: `${CONVERSATION}/read`,
  operationId: 'markRead',
  tag: TAG,
  summary: 'Move one’s read mark, never back',
  description:
    'Answered once it is written, within about a second. A mark beyond the newest message counts as that message.',
  request: { params: ConversationParams, body: ReadBody },
  answers: {
    200: answer('The caller’s marks', Mark),
  },
  fails: ['conversation_not_found'],
});

const listChanges = signedInRoute({
  method: 'get',
  path: `${CONVERSATION}/changes`,
  operationId: 'listChanges',
  tag: TAG,
  summary: 'What changed since a `rev`',
  description: 'Works after a second or a year. Too far behind, it answers `reset: true`: load the newest page.',
  reads: 'page',
  request: { params: ConversationParams, query: ChangesQuery },
  answers: {
    200: answer('The changes', Changes),
  },
  fails: ['conversation_not_found', 'resync_required'],
});

/** Messages, reactions, marks and changes over REST (PROTOCOL.md §5, §7.3). */
export function messageRoutes(chat: ChatService): Router {
  const router = createRouter();

  mount(router, listMessages, async (c) => {
    const { id } = c.req.valid('param');
    const { messages, nextCursor, rev } = await chat.read.history(c.var.caller, id, c.req.valid('query'));
    return { messages, has_more: nextCursor !== undefined, next_cursor: nextCursor, rev };
  });

  mount(router, sendMessage, async (c) => {
    const { id } = c.req.valid('param');
    const message = { ...c.req.valid('json'), conversation_id: id };
    const receipt = await chat.send(c.var.caller, message);
    return withStatus(receipt.known ? 200 : 201, await chat.read.sent(c.var.caller, message, receipt));
  });

  mount(router, editMessage, async (c) => {
    const edited = await chat.edit(c.var.caller, keyOf(c.req.valid('param')), c.req.valid('json'));
    return chat.read.afterChange(c.var.caller, edited);
  });

  mount(router, deleteMessage, (c) => chat.delete(c.var.caller, keyOf(c.req.valid('param'))));

  for (const [route, add] of [[addReaction, true] as const, [removeReaction, false] as const]) {
    mount(router, route, async (c) => {
      const { emoji, ...key } = c.req.valid('param');
      const message = await chat.react(c.var.caller, keyOf(key), { emoji, add });
      return chat.read.afterChange(c.var.caller, message);
    });
  }

  mount(router, markRead, (c) => chat.markRead(c.var.caller, c.req.valid('param').id, c.req.valid('json').seq));

  mount(router, listChanges, (c) => chat.changes.changes(c.var.caller, c.req.valid('param').id, c.req.valid('query')));

  return router;
}

function keyOf({ id, message_id }: z.output<typeof MessageParams>) {
  return { conversationId: id, messageId: message_id };
}
