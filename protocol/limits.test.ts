import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as limits from './limits.ts';

const PAGE = readFileSync(join(import.meta.dir, '../docs/PROTOCOL.md'), 'utf8');

/** 64 KiB, 1 MiB. */
function bytes(value: number): string {
  const mebibytes = value / 1024 ** 2;
  return Number.isInteger(mebibytes) ? `${mebibytes} MiB` : `${value / 1024} KiB`;
}
const count = (value: number) => value.toLocaleString('en');
const seconds = (milliseconds: number) => `${milliseconds / 1000} s`;
const range = ({ min, max }: { min: number; max: number }) => `${min}–${max}`;

type Name = keyof typeof limits;
const { PAGE_SIZES: pages } = limits;

/** The rows of the table of §9, each with the constants that it tells of. */
const ROWS: [row: string, says: string, of: Name[]][] = [
  ['body of a request', bytes(limits.MAX_BODY_BYTES), ['MAX_BODY_BYTES']],
  ['body of a call that signs in or names a password', bytes(limits.MAX_CREDENTIALS_BYTES), ['MAX_CREDENTIALS_BYTES']],
  ['how long a body may take to come', seconds(limits.BODY_MS), ['BODY_MS']],
  ['levels of JSON in a body or a frame', count(limits.MAX_JSON_DEPTH), ['MAX_JSON_DEPTH']],
  ['values of JSON in a body or a frame', count(limits.MAX_JSON_VALUES), ['MAX_JSON_VALUES']],
  ['an answer, but for files', bytes(limits.MAX_ANSWER_BYTES), ['MAX_ANSWER_BYTES']],
  ['an answer that is compressed', `more than ${bytes(limits.MIN_COMPRESSED_BYTES)}`, ['MIN_COMPRESSED_BYTES']],
  [
    `answers of more than ${bytes(limits.LONG_ANSWER_BYTES)} that one account reads at once`,
    count(limits.MAX_LONG_ANSWERS),
    ['LONG_ANSWER_BYTES', 'MAX_LONG_ANSWERS'],
  ],
  ['how long an answer may go unread', seconds(limits.UNREAD_MS), ['UNREAD_MS']],
  ['frame of a client', bytes(limits.MAX_FRAME_BYTES), ['MAX_FRAME_BYTES']],
  ['frame of an event that needs no more', bytes(limits.SMALL_FRAME_BYTES), ['SMALL_FRAME_BYTES']],
  [
    'frames of one account on one node',
    `${bytes(limits.FRAME_BURST_BYTES)} at once, then ${bytes(limits.FRAME_BYTES_A_SECOND)} a second`,
    ['FRAME_BURST_BYTES', 'FRAME_BYTES_A_SECOND'],
  ],
  ['what a frame counts for at least', `${limits.MIN_FRAME_BYTES} bytes`, ['MIN_FRAME_BYTES']],
  ['frames beyond those that wait', bytes(limits.MAX_WAITING_BYTES), ['MAX_WAITING_BYTES']],
  ['sends of a socket without an answer', count(limits.MAX_UNANSWERED_SENDS), ['MAX_UNANSWERED_SENDS']],
  ['frames of a socket that wait', count(limits.MAX_WAITING_FRAMES), ['MAX_WAITING_FRAMES']],
  ['frames in a row that are no valid request', count(limits.MAX_BAD_FRAMES), ['MAX_BAD_FRAMES']],
  ['what a reader may lag behind', bytes(limits.MAX_BACKLOG_BYTES), ['MAX_BACKLOG_BYTES']],
  ['sockets of one account on one node', count(limits.MAX_SOCKETS_PER_USER), ['MAX_SOCKETS_PER_USER']],
  [
    'people added or named at once',
    `${count(limits.MAX_PARTICIPANTS_AT_ONCE)} ids, and in a new group ${count(limits.MAX_PARTICIPANTS_AT_ONCE)} addresses`,
    ['MAX_PARTICIPANTS_AT_ONCE'],
  ],
  ['participants in an entry', count(limits.ENTRY_PARTICIPANTS), ['ENTRY_PARTICIPANTS']],
  ['kinds of reactions of a message', count(limits.MAX_REACTION_KINDS), ['MAX_REACTION_KINDS']],
  ['users named with a reaction', count(limits.REACTION_USERS), ['REACTION_USERS']],
  ['excerpt of a quote', `${limits.EXCERPT_LENGTH} characters`, ['EXCERPT_LENGTH']],
  ['users that a socket watches', count(limits.MAX_WATCHED_USERS), ['MAX_WATCHED_USERS']],
  [
    'conversations in which somebody can be typing',
    count(limits.MAX_TYPING_CONVERSATIONS),
    ['MAX_TYPING_CONVERSATIONS'],
  ],
  ['changes behind which a copy is loaded anew', count(limits.MAX_CHANGES_BEHIND), ['MAX_CHANGES_BEHIND']],
  ['conversations named in a `sync`', count(limits.MAX_SYNC_CONVERSATIONS), ['MAX_SYNC_CONVERSATIONS']],
  [
    'messages of a conversation in the answer to a `sync`',
    `${limits.SYNC_MESSAGES} and ${bytes(limits.SYNC_CONVERSATION_BYTES)}; ${bytes(limits.SYNC_BYTES)} of all conversations`,
    ['SYNC_MESSAGES', 'SYNC_CONVERSATION_BYTES', 'SYNC_BYTES'],
  ],
  [
    'a live `changes` frame',
    `${limits.SYNC_MESSAGES} messages and ${bytes(limits.MAX_CHANGES_FRAME_BYTES)}`,
    ['MAX_CHANGES_FRAME_BYTES'],
  ],
  ['any other live frame', bytes(limits.MAX_LIVE_FRAME_BYTES), ['MAX_LIVE_FRAME_BYTES']],
  ['marks that share a `marks_rev`', count(limits.MARKS_AT_ONCE), ['MARKS_AT_ONCE']],
  ['marks in a `receipts` frame', count(limits.MAX_FRAME_MARKS), ['MAX_FRAME_MARKS']],
  ['wrong fields that an error names', count(limits.MAX_NAMED_ERRORS), ['MAX_NAMED_ERRORS']],
  ['`client_id`', `1–${limits.MAX_CLIENT_ID_LENGTH} characters`, ['MAX_CLIENT_ID_LENGTH']],
  ['`cursor`', `1–${count(limits.MAX_CURSOR_LENGTH)} characters`, ['MAX_CURSOR_LENGTH']],
];

/** Where the text itself names a bound: what it says, and of which constant. */
const SENTENCES: [says: string, of: Name][] = [
  [`JSON is nested at most ${limits.MAX_JSON_DEPTH} deep`, 'MAX_JSON_DEPTH'],
  [`holds at most ${count(limits.MAX_JSON_VALUES)} values`, 'MAX_JSON_VALUES'],
  [`has not come ${seconds(limits.BODY_MS)} after`, 'BODY_MS'],
  [`No answer is longer than ${bytes(limits.MAX_ANSWER_BYTES)}`, 'MAX_ANSWER_BYTES'],
  [`answers of more than ${bytes(limits.LONG_ANSWER_BYTES)} are read at once`, 'LONG_ANSWER_BYTES'],
  [`nothing was read for ${seconds(limits.UNREAD_MS)} is cut`, 'UNREAD_MS'],
  [`answers of more than ${bytes(limits.MIN_COMPRESSED_BYTES)} are compressed`, 'MIN_COMPRESSED_BYTES'],
  [
    `a body of more than ${bytes(limits.MAX_BODY_BYTES)}, or of more than ${bytes(limits.MAX_CREDENTIALS_BYTES)} where`,
    'MAX_CREDENTIALS_BYTES',
  ],
  [`\`password\` (${range(limits.PASSWORD_LENGTH)} characters)`, 'PASSWORD_LENGTH'],
  [`\`username?\` (${range(limits.USERNAME_LENGTH)} of`, 'USERNAME_LENGTH'],
  [`\`display_name?\` (${range(limits.DISPLAY_NAME_LENGTH)})`, 'DISPLAY_NAME_LENGTH'],
  [`\`status?\` (${range(limits.STATUS_LENGTH)} characters`, 'STATUS_LENGTH'],
  [`a name of ${limits.GROUP_NAME_LENGTH.min} to ${limits.GROUP_NAME_LENGTH.max} characters`, 'GROUP_NAME_LENGTH'],
  [`A \`client_id\` (1–${limits.MAX_CLIENT_ID_LENGTH} characters`, 'MAX_CLIENT_ID_LENGTH'],
  [`admins add 1 to ${count(limits.MAX_PARTICIPANTS_AT_ONCE)} people`, 'MAX_PARTICIPANTS_AT_ONCE'],
  [`holds the first ${limits.ENTRY_PARTICIPANTS}, longest in first`, 'ENTRY_PARTICIPANTS'],
  [`at most ${limits.MAX_REACTION_KINDS} kinds a message`, 'MAX_REACTION_KINDS'],
  [`\`user_ids\` are the first ${limits.REACTION_USERS},`, 'REACTION_USERS'],
  [`\`excerpt\` is the first ${limits.EXCERPT_LENGTH} characters`, 'EXCERPT_LENGTH'],
  [`one JSON object each, at most ${bytes(limits.MAX_FRAME_BYTES)}`, 'MAX_FRAME_BYTES'],
  [`and at most ${bytes(limits.SMALL_FRAME_BYTES)} but for`, 'SMALL_FRAME_BYTES'],
  [`a frame of more than ${bytes(limits.SMALL_FRAME_BYTES)} whose event`, 'SMALL_FRAME_BYTES'],
  [
    `${bytes(limits.FRAME_BURST_BYTES)} at once, then ${bytes(limits.FRAME_BYTES_A_SECOND)} a second. So much`,
    'FRAME_BURST_BYTES',
  ],
  [`each frame counts as ${limits.MIN_FRAME_BYTES} bytes`, 'MIN_FRAME_BYTES'],
  [`Beyond ${bytes(limits.MAX_WAITING_BYTES)} that wait so`, 'MAX_WAITING_BYTES'],
  [`\`user_ids\`, at most ${count(limits.MAX_WATCHED_USERS)}`, 'MAX_WATCHED_USERS'],
  [`ends by itself ${seconds(limits.TYPING_MS)} after`, 'TYPING_MS'],
  [`\`offline\` ${seconds(limits.OFFLINE_AFTER_MS)} after`, 'OFFLINE_AFTER_MS'],
  [`${limits.MAX_UNANSWERED_SENDS} sends without an answer`, 'MAX_UNANSWERED_SENDS'],
  [`${limits.MAX_WAITING_FRAMES} frames may wait`, 'MAX_WAITING_FRAMES'],
  [`lags behind by more than ${bytes(limits.MAX_BACKLOG_BYTES)}`, 'MAX_BACKLOG_BYTES'],
  [`More than ${count(limits.MAX_CHANGES_BEHIND)} changes behind`, 'MAX_CHANGES_BEHIND'],
  [`More than ${count(limits.MAX_FRAME_MARKS)} marks`, 'MAX_FRAME_MARKS'],
  [`at most ${limits.MARKS_AT_ONCE} marks of a conversation share one`, 'MARKS_AT_ONCE'],
  [
    `with the \`changes\` since what the caller holds of it, see [7.3](#73-changes); at most ${count(limits.MAX_SYNC_CONVERSATIONS)} |`,
    'MAX_SYNC_CONVERSATIONS',
  ],
  [
    `at most ${limits.SYNC_MESSAGES} messages and ${bytes(limits.MAX_CHANGES_FRAME_BYTES)} each`,
    'MAX_CHANGES_FRAME_BYTES',
  ],
  [`longer than ${bytes(limits.MAX_LIVE_FRAME_BYTES)}`, 'MAX_LIVE_FRAME_BYTES'],
  ...Object.entries({
    users: 'GET /users?query=&limit=#&cursor=',
    conversations: 'GET /conversations?limit=#&cursor=',
    participants: 'GET /conversations/:id/participants?limit=#&cursor=',
    sync: 'GET /sync?limit=#&cursor=',
    messages: 'GET /conversations/:id/messages?limit=#&cursor=',
    changes: 'GET /conversations/:id/changes?since=&marks_since=&limit=#',
  }).map(([list, call]): [string, Name] => [
    call.replace('#', String(pages[list as keyof typeof pages].fallback)),
    'PAGE_SIZES',
  ]),
];

/** No bounds: names, and what stands in a table of its own. */
const NO_BOUNDS: Name[] = ['DELETED_USER', 'SUBPROTOCOL', 'TOKEN_SUBPROTOCOL_PREFIX'];

describe('docs/PROTOCOL.md', () => {
  test('has a table of limits that says what the code holds, row for row', () => {
    const [, section = ''] = PAGE.split('## 9. Limits\n');
    const rows = section.split('\n').filter((line) => line.startsWith('| ') && line.length > 5);
    const said = rows.map((line) =>
      line
        .split('|')
        .slice(1, 3)
        .map((cell) => cell.trim()),
    );
    expect(said).toEqual(ROWS.map(([row, says]) => [row, says]));
  });

  const words = PAGE.replace(/\s+/g, ' ').replaceAll('**', '');

  test.each(SENTENCES)('says “%s”, which is %s', (says) => {
    expect(words).toContain(says);
  });

  test.each(Object.entries(pages))('says how long a page of %s may be', (list, { max }) => {
    const calls: Record<string, string> = {
      users: 'GET /users?',
      conversations: 'GET /conversations?',
      participants: 'GET /conversations/:id/participants?',
      sync: 'GET /sync?',
      messages: 'GET /conversations/:id/messages?',
      changes: 'GET /conversations/:id/changes?',
    };
    const row = PAGE.split('\n').find((line) => line.startsWith(`| \`${calls[list]}`));
    expect(row).toContain(`\`limit\` 1–${count(max)}`);
  });

  test('leaves no bound of the code out', () => {
    const named = new Set([...ROWS.flatMap(([, , of]) => of), ...SENTENCES.map(([, of]) => of), ...NO_BOUNDS]);
    expect(Object.keys(limits).filter((name) => !named.has(name as Name))).toEqual([]);
  });
});
