import { describe, expect, test } from 'bun:test';
import { CLIENT_FRAMES, type ClientEvent, LARGE_EVENTS } from './events.ts';
import {
  FRAME_BURST_BYTES,
  MAX_CLIENT_ID_LENGTH,
  MAX_FRAME_BYTES,
  MAX_UNANSWERED_SENDS,
  MAX_WAITING_BYTES,
  MAX_WATCHED_USERS,
  SMALL_FRAME_BYTES,
} from './limits.ts';

const id = crypto.randomUUID();
/** A character that a careful client writes as twelve: two halves, each escaped. */
const WIDE = '😀';
const client_id = WIDE.repeat(MAX_CLIENT_ID_LENGTH / WIDE.length);
const seq = Number.MAX_SAFE_INTEGER;
const message = { client_id, conversation_id: id, message_id: id };
const content = WIDE.repeat(4000);
/** England's flag is the longest emoji there is, with those that are of one kind. */
const emoji = '🏴󠁧󠁢󠁥󠁮󠁧󠁿';

/** The largest that a client needs to send of each event. */
const LARGEST: Record<ClientEvent, object> = {
  'message.send': { client_id, conversation_id: id, content, type: 'text', reply_to: id },
  'message.edit': { ...message, content, if_rev: seq },
  'message.delete': message,
  'reaction.add': { ...message, emoji },
  'reaction.remove': { ...message, emoji },
  delivered: { conversation_id: id, seq },
  read: { conversation_id: id, seq },
  typing: { conversation_id: id, active: false },
  'presence.set': { status: 'online' },
  'presence.watch': { user_ids: Array(MAX_WATCHED_USERS).fill(id) },
  ping: {},
};

/** JSON with nothing but ASCII in it, spaced as some programs write it. */
function written(frame: object): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(frame, null, 1).replace(/[\u0080-\uffff]/g, escaped);
}

describe('the largest frame', () => {
  test.each(Object.entries(LARGEST))('of %s is as large as one of it may be, however it is written', (event, rest) => {
    const frame = { event, ...rest };
    expect(CLIENT_FRAMES[event as ClientEvent].safeParse(frame).error).toBeUndefined();
    const isLarge = LARGE_EVENTS.includes(event as ClientEvent);
    expect(written(frame).length).toBeLessThanOrEqual(isLarge ? MAX_FRAME_BYTES : SMALL_FRAME_BYTES);
    if (isLarge) expect(Buffer.byteLength(JSON.stringify(frame))).toBeGreaterThan(SMALL_FRAME_BYTES);
  });
});

test('as many sends as may be unanswered can all be there at once, each as large as can be', () => {
  expect(MAX_UNANSWERED_SENDS * MAX_FRAME_BYTES).toBeLessThanOrEqual(FRAME_BURST_BYTES + MAX_WAITING_BYTES);
  const frame = JSON.stringify({ event: 'message.send', client_id: id, ...LARGEST['message.send'] });
  expect(MAX_UNANSWERED_SENDS * Buffer.byteLength(frame)).toBeLessThanOrEqual(FRAME_BURST_BYTES);
});
