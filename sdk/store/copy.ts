import type { MessagePage } from '../api.ts';
import type { Cause, Conversation, Entry, Mark, Message, Participant } from '../protocol.ts';
import { keepOwnReactions } from './own-reactions.ts';
import { requote } from './quotes.ts';

/** A change of one conversation, or several, from a live frame or from an answer. */
export interface Delta {
  /** The last change covered. */
  rev: number;
  messages?: Message[];
  conversation?: Conversation;
  participants?: Participant[];
  /** By how much the number of participants changed, where that is known. */
  joined?: number;
  marks?: Mark[];
  /** Which marks are held from here on, where `marks` has all of them. */
  marks_rev?: number;
  cause?: Cause;
}

/** A change that is shown before the server has made it. */
export interface Patch {
  messageId: string;
  apply(message: Message): Message;
}

/** What is new in a copy since it was last told. */
export interface News {
  /** New messages, in their order. */
  fresh: Message[];
  /** Messages that were there before and changed. */
  updated: Message[];
  /** Whether the conversation itself or its people changed. */
  isReformed: boolean;
}

/** A copy as it is stored. What of a conversation was read is a record of its own, for it is large. */
export interface CopyRecord {
  conversation: Conversation;
  conversation_rev: number;
  participants: Participant[];
  participant_count: number;
  marks: Mark[];
  last_message?: Message;
  rev: number;
  marks_rev: number;
  seen_seq: number;
}
export interface WindowRecord {
  rev: number;
  messages: Message[];
  has_more: boolean;
}

/** Messages of each conversation that are stored. */
const STORED_MESSAGES = 50;
/** Messages that a conversation nobody looks at keeps in memory. */
const KEPT_MESSAGES = 200;
const TRIM_AT = 1000;

/**
 * What this client holds of one conversation. All up to `rev` is in it. Whatever comes, for each thing the higher `rev`
 * stays, and marks only grow: so what comes twice, or late, changes nothing (PROTOCOL.md §8).
 */
export class Copy {
  conversation: Conversation;
  /** The last change that this copy holds, with all before it. */
  rev: number;
  marksRev = 0;
  participantCount: number;
  lastMessage: Message | undefined;
  /** Loaded messages, without a hole up to the newest; undefined while none were asked for. */
  window: Message[] | undefined;
  /** Messages from this `seq` on are loaded. */
  private windowFrom = Number.POSITIVE_INFINITY;
  /** Leads to messages older than those loaded. */
  olderCursor: string | undefined;
  /** Whether somebody wants the messages, and not only the conversation. */
  isWanted = false;
  /** Whether the number of participants has to be asked for. */
  countIsUnknown = false;
  readonly participants = new Map<string, Participant>();
  readonly marks = new Map<string, Mark>();
  patches: Patch[] = [];
  /** Messages above this are new to whoever is told of messages. */
  private seenSeq: number;
  private readonly fresh = new Map<number, Message>();
  private readonly updated = new Map<number, Message>();
  private isReformed = false;
  /** At which change the conversation's own fields were as they are held. */
  private conversationRev: number;
  private hasAllParticipants: boolean;

  constructor(
    /** Whose copy this is. */
    private readonly me: string,
    entry: Entry,
  ) {
    this.conversation = entry.conversation;
    this.conversationRev = entry.conversation.rev;
    this.rev = entry.conversation.rev;
    this.seenSeq = entry.conversation.seq;
    this.participantCount = entry.participant_count;
    this.hasAllParticipants = entry.participants.length === entry.participant_count;
    for (const participant of entry.participants) this.putParticipant(participant);
    if (entry.last_message) this.putMessage(entry.last_message);
    this.mark({ user_id: me, read_seq: entry.read_seq, delivered_seq: 0 });
  }

  static restore(me: string, record: CopyRecord, window: WindowRecord | undefined): Copy {
    const { conversation, participants, participant_count, last_message } = record;
    const copy = new Copy(me, {
      conversation,
      participants: participants.filter((one) => !one.left),
      participant_count,
      last_message,
      unread_count: 0,
      read_seq: 0,
    });
    for (const participant of participants) copy.putParticipant(participant);
    for (const mark of record.marks) copy.mark(mark);
    copy.conversationRev = record.conversation_rev;
    copy.marksRev = record.marks_rev;
    copy.rev = record.rev;
    copy.seenSeq = record.seen_seq;
    if (window) copy.putPage(window);
    return copy;
  }

  get id(): string {
    return this.conversation.id;
  }

  /** The conversation as it now stands. */
  get current(): Conversation {
    const { conversation, rev, lastMessage } = this;
    return { ...conversation, rev, updated_at: Math.max(conversation.updated_at, lastMessage?.sent_at ?? 0) };
  }

  get isDirect(): boolean {
    return this.conversation.type === 'direct';
  }

  get seq(): number {
    return this.conversation.seq;
  }

  /** Who is in it, as far as they are known. */
  get present(): Participant[] {
    return [...this.participants.values()].filter((one) => !one.left);
  }

  get knowsAllParticipants(): boolean {
    return this.hasAllParticipants;
  }

  /** Whether there are messages older than those loaded. */
  get hasOlder(): boolean {
    return Math.min(this.windowFrom, this.seq + 1) > 1;
  }

  markOf(userId: string): Mark {
    return this.marks.get(userId) ?? { user_id: userId, delivered_seq: 0, read_seq: 0 };
  }

  /** The held message with this id, of those loaded or the newest. */
  message(id: string): Message | undefined {
    return this.window?.find((one) => one.id === id) ?? (this.lastMessage?.id === id ? this.lastMessage : undefined);
  }

  /** Applies changes of which `rev` is the last. */
  apply(delta: Delta): void {
    for (const message of delta.messages ?? []) {
      const put = this.putMessage(message, delta.cause);
      if (put) (message.seq > this.seenSeq ? this.fresh : this.updated).set(message.seq, put);
    }
    this.isReformed ||= delta.conversation !== undefined || delta.participants !== undefined;
    if (delta.conversation) this.putConversation(delta.conversation);
    if (delta.participants) this.putParticipants(delta.participants, delta.joined);
    for (const mark of delta.marks ?? []) this.mark(mark);
    if (delta.marks && delta.marks_rev !== undefined) this.marksRev = Math.max(this.marksRev, delta.marks_rev);
    this.rev = Math.max(this.rev, delta.rev);
  }

  /**
   * Adds a page of history, the newest or one that goes on above or below what is loaded. A page that was read before
   * the latest changes takes `rev` back to its own: what is missing in it is then fetched like anything that was missed.
   */
  putPage(page: Pick<MessagePage, 'messages' | 'has_more' | 'rev'>): void {
    this.window ??= [];
    const from = page.has_more ? (page.messages[0]?.seq ?? this.windowFrom) : 1;
    this.windowFrom = Math.min(this.windowFrom, from);
    for (const message of page.messages) this.putMessage(message);
    this.rev = Math.min(this.rev, page.rev);
  }

  putParticipants(participants: Participant[], joined?: number): void {
    for (const participant of participants) this.putParticipant(participant);
    if (this.hasAllParticipants) this.participantCount = this.present.length;
    else if (joined === undefined) this.countIsUnknown = true;
    else this.participantCount += joined;
  }

  /** To be called when every page of participants was put. */
  sawAllParticipants(): void {
    this.hasAllParticipants = true;
    this.participantCount = this.present.length;
  }

  /** Takes from a newer entry what changes do not tell. */
  refresh(entry: Entry): void {
    this.participantCount = entry.participant_count;
    this.countIsUnknown = false;
    for (const participant of entry.participants) this.putParticipant(participant);
    this.putConversation(entry.conversation);
  }

  /** Moves somebody's marks, never back; returns whether they moved. */
  mark({ user_id, delivered_seq, read_seq }: Mark): boolean {
    const before = this.markOf(user_id);
    const read = Math.max(before.read_seq, read_seq);
    const delivered = Math.max(before.delivered_seq, delivered_seq, read);
    if (read === before.read_seq && delivered === before.delivered_seq && this.marks.has(user_id)) return false;
    this.marks.set(user_id, { user_id, delivered_seq: delivered, read_seq: read });
    return true;
  }

  /** What is new since the last call; to be called where `rev` is known to have no hole below it. */
  takeNews(): News {
    const fresh = [...this.fresh.values()].sort((one, other) => one.seq - other.seq);
    const news = { fresh, updated: [...this.updated.values()], isReformed: this.isReformed };
    this.fresh.clear();
    this.updated.clear();
    this.isReformed = false;
    this.seenSeq = Math.max(this.seenSeq, this.seq);
    return news;
  }

  /** Which messages the copy that this one replaces had told. */
  continueFrom(before: Copy): Message[] {
    this.isWanted = before.isWanted;
    this.patches = before.patches;
    for (const mark of before.marks.values()) if (mark.user_id === this.me) this.mark(mark);
    return (this.window ?? []).filter((message) => message.seq > before.seenSeq);
  }

  /** Drops the oldest of many loaded messages; they can be loaded again. */
  trim(): void {
    if (!this.window || this.window.length < TRIM_AT) return;
    this.window = this.window.slice(-KEPT_MESSAGES);
    this.windowFrom = this.window[0]!.seq;
    this.olderCursor = undefined;
  }

  record(): CopyRecord {
    return {
      conversation: this.conversation,
      conversation_rev: this.conversationRev,
      participants: [...this.participants.values()],
      participant_count: this.participantCount,
      marks: [...this.marks.values()],
      last_message: this.lastMessage,
      rev: this.rev,
      marks_rev: this.marksRev,
      seen_seq: this.seenSeq,
    };
  }

  windowRecord(): WindowRecord | undefined {
    if (!this.window) return undefined;
    const messages = this.window.slice(-STORED_MESSAGES);
    return { rev: this.rev, messages, has_more: messages.length < this.window.length || this.windowFrom > 1 };
  }

  /** Returns the message as it is now held, or undefined where what is held was as new. */
  private putMessage(told: Message, cause?: Cause): Message | undefined {
    const place = this.placeOf(told.seq);
    const inWindow = this.window?.[place]?.seq === told.seq ? this.window[place] : undefined;
    const held = inWindow ?? (this.lastMessage?.seq === told.seq ? this.lastMessage : undefined);
    // A message tells that its sender had received and read all before it.
    this.mark({ user_id: told.sender_id, delivered_seq: told.seq, read_seq: told.seq });
    if (held && held.rev > told.rev) return undefined;
    const message = this.quoteAnew(keepOwnReactions(told, held, this.me, cause));
    if (inWindow) this.window![place] = message;
    else if (told.seq >= this.windowFrom) this.window?.splice(place, 0, message);
    if (message.seq >= (this.lastMessage?.seq ?? 0)) this.lastMessage = message;
    if (message.seq > this.seq) this.conversation = { ...this.conversation, seq: message.seq };
    if (message.edited_at !== undefined || message.deleted_at !== undefined) this.requoteAll(message);
    return held?.rev === told.rev ? undefined : message;
  }

  /** A reply with its quote as the held message has it: what came late may quote what was said before. */
  private quoteAnew(message: Message): Message {
    const quoted = message.reply_to && this.message(message.reply_to.id);
    return quoted ? requote(message, quoted) : message;
  }

  /** Replies quote a message as it stands now. */
  private requoteAll(quoted: Message): void {
    this.window?.forEach((message, index) => {
      this.window![index] = requote(message, quoted);
    });
    this.lastMessage = this.lastMessage && requote(this.lastMessage, quoted);
  }

  /** Where in the window a message with this `seq` is, or belongs. */
  private placeOf(seq: number): number {
    let low = 0;
    let high = this.window?.length ?? 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.window![middle]!.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private putConversation(conversation: Conversation): void {
    const seq = Math.max(this.seq, conversation.seq);
    if (conversation.rev < this.conversationRev) return;
    this.conversationRev = conversation.rev;
    this.conversation = { ...conversation, seq };
  }

  private putParticipant(participant: Participant): void {
    const { id, rev, delivered_seq, read_seq } = participant;
    if ((this.participants.get(id)?.rev ?? 0) <= rev) this.participants.set(id, participant);
    this.mark({ user_id: id, delivered_seq, read_seq });
  }
}
