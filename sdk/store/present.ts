import type { Outgoing } from '../outbox.ts';
import type { Message, Participant, User } from '../protocol.ts';
import type { ConversationView, MessageStatus, MessageView, Typist } from '../views.ts';
import type { Copy } from './copy.ts';
import { reuse } from './observable.ts';

/** How copies look to whoever shows them. What did not change keeps its identity. */

/** A view stays the same as long as the message and its status do. */
const messageViews = new WeakMap<Message, MessageView>();
const outgoingViews = new WeakMap<Outgoing, MessageView>();

/** The loaded messages of a conversation, and behind them those that wait in the outbox. */
export function presentMessages(
  copy: Copy | undefined,
  outgoing: Outgoing[],
  me: User,
  previous: readonly MessageView[] | undefined,
): readonly MessageView[] {
  const stored = copy?.window ?? [];
  const reached = copy && reachedByAll(copy, me.id);
  const views = stored.map((message) => presentMessage(copy!, message, me.id, reached!));
  const waiting = unstored(copy, outgoing, me.id).map((item) => presentOutgoing(item, me));
  return reuse(previous as MessageView[] | undefined, [...views, ...waiting]);
}

export function presentConversation(
  copy: Copy,
  rest: { outgoing: Outgoing[]; typing: Typist[]; me: User },
  previous: ConversationView | undefined,
): ConversationView {
  const conversation = reuse(previous?.conversation, copy.current);
  const { me } = rest;
  const waiting = unstored(copy, rest.outgoing, me.id).at(-1);
  const participants = presentParticipants(copy, previous?.participants);
  const others = participants.filter((one) => one.id !== me.id);
  const other = copy.isDirect ? (others[0] ?? participants[0]) : undefined;
  const { read_seq } = copy.markOf(me.id);
  return reuse<ConversationView>(previous, {
    id: conversation.id,
    type: conversation.type,
    title: conversation.name ?? other?.display_name ?? '',
    conversation,
    participants,
    participant_count: copy.participantCount,
    other,
    role: copy.participants.get(me.id)?.participant_role,
    last_message: waiting
      ? presentOutgoing(waiting, me)
      : copy.lastMessage && presentMessage(copy, copy.lastMessage, me.id, reachedByAll(copy, me.id)),
    unread_count: Math.max(0, copy.seq - read_seq),
    read_seq,
    typing: reuse(previous?.typing as Typist[] | undefined, rest.typing),
    is_open: copy.window !== undefined,
    has_older: copy.hasOlder,
  });
}

/** When something last happened in a conversation, for the order of the list. */
export function activityOf({ conversation, last_message }: ConversationView): number {
  return Math.max(conversation.created_at, last_message?.sent_at ?? 0);
}

interface Reached {
  delivered: number;
  read: number;
}

/** How far everybody but oneself has come; of people who are not known nothing can be said. */
function reachedByAll(copy: Copy, me: string): Reached {
  if (!copy.knowsAllParticipants) return { delivered: 0, read: 0 };
  const reached: Reached = { delivered: Number.POSITIVE_INFINITY, read: Number.POSITIVE_INFINITY };
  for (const { id, left } of copy.participants.values()) {
    if (left || id === me) continue;
    const mark = copy.markOf(id);
    reached.delivered = Math.min(reached.delivered, mark.delivered_seq);
    reached.read = Math.min(reached.read, mark.read_seq);
  }
  return reached;
}

function presentMessage(copy: Copy, base: Message, me: string, reached: Reached): MessageView {
  let message = base;
  for (const patch of copy.patches) if (patch.messageId === base.id) message = patch.apply(message);
  const mine = message.sender_id === me;
  const status = mine ? statusOf(message, reached) : undefined;
  const before = messageViews.get(message);
  if (before && before.status === status && before.mine === mine) return before;
  const view = { ...message, key: (mine && message.client_id) || message.id, mine, status };
  messageViews.set(message, view);
  return view;
}

function statusOf({ seq }: Message, reached: Reached): MessageStatus {
  if (seq <= reached.read) return 'read';
  return seq <= reached.delivered ? 'delivered' : 'sent';
}

/** What of the outbox is not yet in the copy: a message can be there before its acknowledgement, and the other way round. */
function unstored(copy: Copy | undefined, outgoing: Outgoing[], me: string): Outgoing[] {
  if (outgoing.length === 0) return outgoing;
  const recent = copy ? [...(copy.window ?? []), ...(copy.lastMessage ? [copy.lastMessage] : [])] : [];
  const stored = new Set(recent.filter((one) => one.sender_id === me).map((one) => one.client_id));
  return outgoing.filter((item) => !stored.has(item.client_id) && !(item.ack && copy && item.ack.rev <= copy.rev));
}

export function presentOutgoing(item: Outgoing, me: User): MessageView {
  const before = outgoingViews.get(item);
  if (before) return before;
  const view: MessageView = {
    id: item.ack?.id ?? item.client_id,
    conversation_id: item.conversation_id,
    sender_id: me.id,
    sender_username: me.username,
    content: item.content,
    type: 'text',
    sent_at: item.ack?.sent_at ?? item.created_at,
    seq: item.ack?.seq ?? 0,
    rev: item.ack?.rev ?? 0,
    client_id: item.client_id,
    reply_to: item.reply_to,
    key: item.client_id,
    mine: true,
    status: item.error ? 'failed' : item.ack ? 'sent' : 'pending',
    error: item.error,
  };
  outgoingViews.set(item, view);
  return view;
}

function presentParticipants(copy: Copy, previous: readonly Participant[] | undefined): readonly Participant[] {
  const before = new Map(previous?.map((one) => [one.id, one]));
  const views = copy.present
    .sort((one, other) => one.joined_at - other.joined_at || (one.id < other.id ? -1 : 1))
    .map((one) => {
      const { delivered_seq, read_seq } = copy.markOf(one.id);
      return reuse(before.get(one.id), { ...one, delivered_seq, read_seq });
    });
  return reuse(previous as Participant[] | undefined, views);
}
