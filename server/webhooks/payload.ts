import type { ConversationEvent, EventKind } from '../chat/events/event.ts';
import { WEBHOOK_EVENTS } from '../config/config.ts';

/** What a receiver can be told of, as `WEBHOOK_EVENTS` names it. */
export type WebhookEvent = Extract<EventKind, (typeof WEBHOOK_EVENTS)[number]>;

export function isWebhookEvent(kind: EventKind): kind is WebhookEvent {
  return (WEBHOOK_EVENTS as readonly EventKind[]).includes(kind);
}

/** One request: what names it, and what it says. */
export interface Payload {
  id: string;
  body: { type: WebhookEvent; timestamp: string; data: object };
}

/** What is told of an event as one of its kinds; docs/WEBHOOKS.md shows each. */
export function payloadOf(event: ConversationEvent, type: WebhookEvent): Payload {
  const { conversation_id, rev, message } = event;
  const body = (at: number, data: object) => ({ type, timestamp: new Date(at).toISOString(), data });
  if (type === 'message.created' && message) {
    return { id: `message-created-${message.id}`, body: body(message.sent_at, message) };
  }
  const id = `${type.replace('.', '-')}-${conversation_id}-${rev}`;
  return { id, body: body(event.at, { conversation_id, rev, ...dataOf(event), coalesced: event.coalesced }) };
}

function dataOf(event: ConversationEvent): object {
  const { actor_id: user_id } = event;
  switch (event.kind) {
    case 'message.created':
      return { message: event.message };
    case 'message.updated':
      return { message: event.message, cause: user_id && { kind: 'edit', user_id } };
    case 'message.deleted':
      return { message: event.message, cause: user_id && { kind: 'delete', user_id } };
    case 'reaction.added':
    case 'reaction.removed':
      return { message: event.message, emoji: event.emoji, user_id };
    case 'conversation.updated':
      return { conversation: event.conversation, message: event.message, user_id };
    default:
      return { conversation: event.conversation, participants: event.participants, message: event.message, user_id };
  }
}
