import type { Heard, SocketTrace } from './network.ts';
import { leaves } from './order.ts';
import type { Person } from './person.ts';
import { marksIn, type Truth } from './truth.ts';

/** How long a lost removal may go unnoticed by what is in no log, in milliseconds (PROTOCOL.md §7.5), on a busy machine. */
const GRACE_MS = 7000;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** What answers somebody's own frames. */
const ANSWERS = new Set(['ack', 'error']);

/** What reached somebody although they may not see it. */
export function leaks(person: Person, truth: Truth): string[] {
  const found: string[] = [];
  /** Where each socket was told that its user is out. */
  const out = new Map<SocketTrace, Map<string, number>>();
  for (const heard of person.record.heard) {
    for (const text of [...strangeWords(person, truth, heard), ...strangeConversations(person, truth, heard)]) {
      found.push(`${person.username} heard ${text}: ${heard.text.slice(0, 300)}`);
    }
    if (heard.socket) found.push(...talkAfterGoodbye(person, truth, heard, out));
  }
  return found;
}

/** Words of messages, edits and names: each is for who is in at its `rev` or joins later. */
function strangeWords(person: Person, truth: Truth, { text, at }: Heard): string[] {
  const found: string[] = [];
  for (const mark of new Set(marksIn(text))) {
    const origin = truth.origins.get(mark);
    if (!origin) {
      found.push(`${mark}, which is not in the log`);
      continue;
    }
    const { conversation, rev } = origin;
    const stretches = truth.membershipsOf(conversation, person.id);
    const may = stretches.some(({ joinedAt, leftRev }) => joinedAt <= at && (leftRev === undefined || rev <= leftRev));
    if (!may) found.push(`${mark} of rev ${rev}, with ${JSON.stringify(stretches)}`);
  }
  return found;
}

/** Conversations by name: of those that one is not in nothing is told, be it receipts or who is typing. */
function strangeConversations(person: Person, truth: Truth, { text, at, socket }: Heard): string[] {
  const ids = new Set(text.match(UUID) ?? []);
  return [...ids].flatMap((id) => {
    if (!truth.isConversation(id)) return [];
    const stretches = truth.membershipsOf(id, person.id).filter(({ joinedAt }) => joinedAt <= at);
    if (stretches.length === 0) return [`of ${id}, which they were never in`];
    const isIn = stretches.some(({ leftAt }) => leftAt === undefined || at <= leftAt + GRACE_MS);
    const isAnswer = !socket || ANSWERS.has(JSON.parse(text).event) || socket.mode === 'plain';
    return isIn || isAnswer ? [] : [`of ${id} long after they left it`];
  });
}

/** After `participant.left` a socket hears nothing more of the conversation, until its user is in again. */
function talkAfterGoodbye(
  person: Person,
  truth: Truth,
  { text, at, socket }: Heard,
  out: Map<SocketTrace, Map<string, number>>,
): string[] {
  const frame = JSON.parse(text);
  const id: string | undefined = frame.conversation_id;
  if (id === undefined || ANSWERS.has(frame.event) || socket!.mode === 'plain') return [];
  const mine = out.get(socket!) ?? new Map<string, number>();
  out.set(socket!, mine);
  const leftRev = mine.get(id);
  if (frame.event === 'participant.left' && leaves(frame, person.id)) {
    mine.set(id, frame.rev);
    return [];
  }
  if (leftRev === undefined) return [];
  const isBack = truth.membershipsOf(id, person.id).some((one) => one.joinRev > leftRev && one.joinedAt <= at);
  if (isBack) mine.delete(id);
  return isBack ? [] : [`${person.username} was told to have left at ${leftRev}, and heard ${text.slice(0, 300)}`];
}

/** Outsiders share no conversation with anybody here: they hear of nobody's presence. */
export function strangePresence(outsider: Person): string[] {
  const frames = outsider.record.heard
    .filter(({ socket }) => socket?.mode === 'v1')
    .map(({ text }) => JSON.parse(text));
  return frames
    .filter(({ event, user_id }) => event === 'presence' && user_id !== outsider.id)
    .map(({ user_id }) => `${outsider.username} heard of the presence of ${user_id}`);
}

/** Sockets that were open when their user was put out for good, and were never told. */
export function unheardRemovals(person: Person, truth: Truth): string[] {
  const live = person.record.sockets.filter((one) => one.mode === 'v1' && one.closedAt === undefined);
  return live.flatMap((socket) => {
    const frames = person.record.heard.filter((one) => one.socket === socket).map(({ text }) => JSON.parse(text));
    return truth.endedOf(person.id).flatMap(({ conversation, joinedAt, leftRev, leftAt }) => {
      if (joinedAt > socket.openedAt! || leftAt <= socket.openedAt!) return [];
      const isTold = frames.some(
        (frame) =>
          frame.event === 'participant.left' && frame.conversation_id === conversation && leaves(frame, person.id),
      );
      return isTold ? [] : [`${person.username} was never told to have left ${conversation} at ${leftRev}`];
    });
  });
}
