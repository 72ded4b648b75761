import type { Heard } from './network.ts';
import type { Person } from './person.ts';

/** The events that tell one change each. */
const CHANGES = new Set([
  'message',
  'message.updated',
  'conversation.created',
  'conversation.updated',
  'participant.joined',
  'participant.left',
  'participant.updated',
]);

/** Whether changes came in order on each socket of somebody, and none was left out that no `changes` frame covers. */
export function disorders(person: Person): string[] {
  const found: string[] = [];
  const sockets = Map.groupBy(
    person.record.heard.filter((one) => one.socket !== undefined),
    (one) => one.socket!,
  );
  for (const [socket, heard] of sockets) {
    const check = socket.mode === 'v1' ? checkRevs : checkPlain;
    for (const text of check(heard, person)) found.push(`${person.username}: ${text}`);
  }
  return found;
}

function checkRevs(heard: Heard[], person: Person): string[] {
  const found: string[] = [];
  /** The last change that was told, by conversation. */
  const last = new Map<string, number>();
  for (const { text } of heard) {
    const frame = JSON.parse(text);
    const { event, conversation_id: id, rev } = frame;
    const before = last.get(id);
    if (event === 'changes') {
      const isCovering = before === undefined || frame.reset || frame.since <= before;
      if (!isCovering || rev < (before ?? 0))
        found.push(`after ${before} changes from ${frame.since} to ${rev} in ${id}`);
      last.set(id, rev);
    } else if (CHANGES.has(event)) {
      const isOut = event === 'participant.left' && leaves(frame, person.id);
      const fits = before === undefined || rev === before + 1 || (isOut && rev >= before);
      if (!fits) found.push(`after ${before} ${event} ${rev} in ${id}`);
      if (isOut) last.delete(id);
      else last.set(id, rev);
    }
  }
  return found;
}

/** Plain mode: people's messages, in order, each once. */
function checkPlain(heard: Heard[]): string[] {
  const found: string[] = [];
  const last = new Map<string, number>();
  for (const { text } of heard) {
    const { error, event, conversation_id: id, seq, type } = JSON.parse(text);
    if (error) continue;
    if (event !== undefined || type !== 'text') found.push(`plain mode heard ${text}`);
    if (seq <= (last.get(id) ?? 0)) found.push(`plain mode heard ${seq} after ${last.get(id)} in ${id}`);
    last.set(id, seq);
  }
  return found;
}

/** Whether a frame tells somebody that they are out; without names it does, too. */
export function leaves(frame: { participants?: { id: string; left?: true }[] }, userId: string): boolean {
  const { participants = [] } = frame;
  return participants.length === 0 || participants.some((one) => one.id === userId && one.left === true);
}
