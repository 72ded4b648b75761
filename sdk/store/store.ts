import type { Outgoing } from '../outbox.ts';
import type { Entry, Message, Participant, User } from '../protocol.ts';
import type { ConversationView, MessageView, Typist } from '../views.ts';
import { Copy, type Patch } from './copy.ts';
import { type Observable, reuse, View } from './observable.ts';
import { activityOf, presentConversation, presentMessages } from './present.ts';

/** What the application sees of the store. */
export interface ParleyStore {
  /** All conversations, latest activity first. */
  readonly conversations: Observable<readonly ConversationView[]>;
  conversation(id: string): Observable<ConversationView | undefined>;
  /** The loaded messages of a conversation, oldest first, those in the outbox last. `client.conversations.open` loads them. */
  messages(conversationId: string): Observable<readonly MessageView[]>;
  /** Who has read up to a message, of those in the conversation that are known; without oneself. */
  readBy(conversationId: string, seq: number): readonly Participant[];
  /** Somebody of a conversation, also one who left it. */
  participant(conversationId: string, userId: string): Participant | undefined;
}

export interface StoreOptions {
  outgoing(conversationId: string): Outgoing[];
  typing(conversationId: string): Typist[];
  /** Called when a copy changed, or went. */
  onChange(id: string): void;
}

const NOBODY: User = {
  id: '',
  username: '',
  display_name: '',
  email: '',
  role: 'user',
  email_verified: false,
  has_second_factor: false,
  is_active: true,
  created_at: 0,
};

/** What this client holds of its user's conversations, and the snapshots of it that observers get. */
export class Store implements ParleyStore {
  /** Of which history the copies are (PROTOCOL.md §7.4); undefined before the first synchronization. */
  epoch: string | undefined;
  me: User = NOBODY;
  private readonly copies = new Map<string, Copy>();
  private readonly conversationViews = new Map<string, View<ConversationView | undefined>>();
  private readonly messageViews = new Map<string, View<readonly MessageView[]>>();

  constructor(private readonly options: StoreOptions) {}

  readonly conversations = new View<readonly ConversationView[]>((previous) => {
    const views = [...this.copies.keys()].map((id) => this.conversation(id).get()!);
    views.sort((one, other) => activityOf(other) - activityOf(one) || (one.id < other.id ? 1 : -1));
    return reuse(previous as ConversationView[] | undefined, views);
  });

  conversation(id: string): View<ConversationView | undefined> {
    return remembered(this.conversationViews, id, () => {
      return new View((previous) => {
        const copy = this.copies.get(id);
        const { outgoing, typing } = this.options;
        return copy && presentConversation(copy, { outgoing: outgoing(id), typing: typing(id), me: this.me }, previous);
      });
    });
  }

  messages(conversationId: string): View<readonly MessageView[]> {
    return remembered(this.messageViews, conversationId, () => {
      const { outgoing } = this.options;
      return new View((previous) =>
        presentMessages(this.copies.get(conversationId), outgoing(conversationId), this.me, previous),
      );
    });
  }

  readBy(conversationId: string, seq: number): readonly Participant[] {
    const copy = this.copies.get(conversationId);
    if (!copy) return [];
    return copy.present.filter(({ id }) => id !== this.me.id && copy.markOf(id).read_seq >= seq);
  }

  participant(conversationId: string, userId: string): Participant | undefined {
    return this.copies.get(conversationId)?.participants.get(userId);
  }

  get(id: string): Copy | undefined {
    return this.copies.get(id);
  }

  all(): Copy[] {
    return [...this.copies.values()];
  }

  add(entry: Entry): Copy {
    const copy = new Copy(this.me.id, entry);
    this.put(copy);
    return copy;
  }

  put(copy: Copy): void {
    this.copies.set(copy.id, copy);
    this.touch(copy.id);
  }

  /** Drops the copy of a conversation; returns whether there was one. */
  remove(id: string): boolean {
    const wasThere = this.copies.delete(id);
    this.touch(id);
    return wasThere;
  }

  /** Drops all copies. */
  clear(): void {
    const ids = [...this.copies.keys()];
    this.copies.clear();
    this.epoch = undefined;
    for (const id of ids) this.touch(id);
    this.conversations.invalidate();
  }

  /** Shows a message as it will be, until the returned function takes that back. */
  patch(conversationId: string, patch: Patch): () => void {
    const change = (patches: (before: Patch[]) => Patch[]) => {
      const copy = this.copies.get(conversationId);
      if (!copy) return;
      copy.patches = patches(copy.patches);
      this.touch(conversationId);
    };
    change((before) => [...before, patch]);
    return () => change((before) => before.filter((one) => one !== patch));
  }

  /** Takes the newest state of a message from an answer; the live stream will bring it too. */
  putMessage(message: Message): void {
    const copy = this.copies.get(message.conversation_id);
    if (!copy) return;
    copy.apply({ rev: 0, messages: [message] });
    this.touch(message.conversation_id);
  }

  /** Moves one's own mark of what was read; returns whether it moved. */
  markRead(conversationId: string, seq: number): boolean {
    const moved = this.copies.get(conversationId)?.mark({ user_id: this.me.id, read_seq: seq, delivered_seq: 0 });
    if (moved) this.touch(conversationId);
    return moved ?? false;
  }

  /** Whether somebody looks at a conversation's messages. */
  isWatched(id: string): boolean {
    return this.messageViews.get(id)?.isWatched ?? false;
  }

  /** To be called whenever a copy, or what is shown with it, changed. */
  touch(id: string): void {
    this.messageViews.get(id)?.invalidate();
    this.conversationViews.get(id)?.invalidate();
    this.conversations.invalidate();
    this.options.onChange(id);
  }
}

function remembered<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key);
  if (known) return known;
  const made = make();
  map.set(key, made);
  return made;
}
