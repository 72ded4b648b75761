import { z } from 'zod';
import { CLIENT_FRAMES, type ClientEvent, ServerFrame } from '../../protocol/events.ts';
import { Message } from '../../protocol/resources.ts';
import { eachRequires } from '../../protocol/schemas.ts';

export type ServerEvent = ServerFrame['event'];

/** What each frame of a client asks for. */
const REQUESTS: Record<ClientEvent, string> = {
  'message.send': 'Send a message, to either a `conversation_id` or a `recipient`; a frame without `event` is one too',
  'message.edit': 'Edit a message of one’s own; with `if_rev`, only what still stands at that `rev`',
  'message.delete': 'Delete a message: its sender, or an admin of the group',
  'reaction.add': 'React to a message',
  'reaction.remove': 'Take a reaction back',
  delivered: 'Everything up to `seq` has arrived on a device',
  read: 'Everything up to `seq` has been read',
  typing: 'Is typing, or has stopped; dies by itself after 6 s',
  'presence.set': 'How to be seen, while connected',
  'presence.watch': 'Whom this socket watches from now on, instead of those before',
  ping: 'Ask for a `pong`',
};

/** What answers a frame when all goes well; an `error` may come instead. */
export const ANSWERS: Record<ClientEvent, ServerEvent[]> = {
  'message.send': ['ack'],
  'message.edit': ['ack'],
  'message.delete': ['ack'],
  'reaction.add': ['ack'],
  'reaction.remove': ['ack'],
  delivered: [],
  read: [],
  typing: [],
  'presence.set': [],
  'presence.watch': ['presence'],
  ping: ['pong'],
};

/** What each frame of the server tells. */
const NEWS: Record<ServerEvent, string> = {
  ready: 'The first frame: from here on this socket hears all of its conversations',
  message: 'A new message',
  ack: 'What the client sent is on stable storage',
  error: 'What the client sent was refused',
  'message.updated': 'A message was edited or deleted, or reactions to it changed: it as it now stands',
  changes: 'What the live stream could not give one by one; moves a client that holds `since` or more to `rev`',
  receipts: 'Marks that moved, at most one frame a second for a conversation',
  typing: 'Somebody is typing, or has stopped',
  presence: 'How somebody who is watched is to be seen',
  pong: 'Answers `ping`',
  draining: 'This server is about to go: come back after `retry_in_ms`',
  'conversation.created': 'A new conversation, told to all who are in it',
  'conversation.updated': 'A group has another name',
  'participant.joined': 'Somebody came in; they hear it too',
  'participant.left': 'Somebody went or was removed; for them it is the last they hear of the conversation',
  'participant.updated': 'Somebody has another role',
};

/** The frames of the server by their event, out of the union that is the contract. */
const SERVER_FRAMES: Record<string, z.ZodObject> = Object.fromEntries(
  ServerFrame.options.map((frame) => [frame.shape.event.value, frame]),
);

/** Plain mode has one frame, which needs no event. */
const { event: _, ...plainSend } = CLIENT_FRAMES['message.send'].shape;

/** Every message of the document: its name there, what it is called on the wire, and its shape. */
export const MESSAGES: Record<string, { name: string; summary: string; schema: z.ZodType }> = {
  ...under('client', CLIENT_FRAMES, REQUESTS),
  ...under('server', SERVER_FRAMES, NEWS),
  'plain.send': {
    name: 'send',
    summary: 'Send a message, to either a `conversation_id` or a `recipient`',
    schema: z.object(plainSend).meta({ oneOf: eachRequires('conversation_id', 'recipient') }),
  },
  'plain.message': { name: 'message', summary: 'A message that a person wrote', schema: Message },
  'plain.error': {
    name: 'error',
    summary: 'What was sent was refused',
    schema: SERVER_FRAMES.error!.pick({ error: true, code: true, message: true }),
  },
};

function under(direction: string, frames: Record<string, z.ZodType>, summaries: Record<string, string>) {
  const named = Object.entries(frames).map(([event, schema]) => [
    `${direction}.${event}`,
    { name: event, summary: summaries[event]!, schema },
  ]);
  return Object.fromEntries(named);
}

/** The payload of each message; what has an id of its own becomes a component, and is referred to. */
export function toSchemas() {
  const all = z.object(Object.fromEntries(Object.entries(MESSAGES).map(([key, { schema }]) => [key, schema])));
  // As they are before parsing: what a frame may hold beyond its schema is ignored, on either side.
  const { definitions, properties } = z.toJSONSchema(all, { target: 'draft-07', io: 'input', override: tidy });
  const located = JSON.stringify({ schemas: definitions, payloads: properties });
  return JSON.parse(located.replaceAll('#/definitions/', '#/components/schemas/')) as {
    schemas: Record<string, object>;
    payloads: Record<string, object>;
  };
}

/** In the words of JSON Schema draft 7, on which AsyncAPI's schemas stand. */
function tidy({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { example, pattern, format } = jsonSchema;
  if (example !== undefined) jsonSchema.examples = [example];
  delete jsonSchema.example;
  delete jsonSchema.id;
  // A format says it better; and a set of strings, such as all emoji, is no pattern outside of JavaScript's own.
  if (format !== undefined || pattern?.includes('RGI_Emoji')) delete jsonSchema.pattern;
}
