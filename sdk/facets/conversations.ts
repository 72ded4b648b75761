import type { Api } from '../api.ts';
import type { MarkSender } from '../marks.ts';
import type { Entry } from '../protocol.ts';
import type { Session } from '../session.ts';
import type { Store } from '../store/store.ts';
import type { Synchronizer } from '../sync/synchronizer.ts';
import type { Tabs } from '../tabs.ts';
import type { Typing } from '../typing.ts';
import type { ConversationView } from '../views.ts';

/** @internal */
export interface ConversationsOptions {
  api: Api;
  session: Session;
  store: Store;
  synchronizer: Synchronizer;
  marks: MarkSender;
  tabs: Tabs;
  typing: Typing;
}

/** Opening conversations, loading what is in them, and telling the others what one reads and types. */
export class Conversations {
  /** @internal */
  constructor(private readonly options: ConversationsOptions) {}

  /** The direct conversation with somebody, opened where there is none. */
  async openDirect(userId: string): Promise<ConversationView> {
    return this.took(await this.options.api.openDirect({ participant_id: userId }));
  }

  /** A new group, with oneself as its admin. */
  async createGroup(name: string, userIds: string[] = []): Promise<ConversationView> {
    return this.took(await this.options.api.createGroup({ name, participant_ids: userIds }));
  }

  /** Loads the newest messages of a conversation into the store, which keeps them up to date from then on. */
  open(conversationId: string): Promise<void> {
    return this.options.synchronizer.pages.open(conversationId);
  }

  /** Loads older messages into the store; returns whether there are more. */
  loadOlder(conversationId: string, limit?: number): Promise<boolean> {
    return this.options.synchronizer.pages.loadOlder(conversationId, limit);
  }

  /** Loads older messages until this one is there; returns whether it is. */
  async loadBackTo(conversationId: string, messageId: string): Promise<boolean> {
    await this.open(conversationId);
    const isLoaded = () => this.options.store.get(conversationId)?.window?.some(({ id }) => id === messageId) ?? false;
    let hasMore = true;
    while (!isLoaded() && hasMore) hasMore = await this.loadOlder(conversationId, 100);
    return isLoaded();
  }

  /** Loads all participants of a large group into the store. */
  loadParticipants(conversationId: string): Promise<void> {
    return this.options.synchronizer.pages.loadParticipants(conversationId);
  }

  /** Marks a conversation as read, up to a message or to its newest one. */
  read(conversationId: string, seq?: number): void {
    const { session, store, marks, tabs } = this.options;
    const copy = store.get(conversationId);
    if (!copy || !session.user) return;
    const upTo = Math.min(seq ?? copy.seq, copy.seq);
    if (!store.markRead(conversationId, upTo)) return;
    marks.note('read', conversationId, upTo);
    tabs.tell({ kind: 'read', user_id: session.user.id, conversation_id: conversationId, seq: upTo });
  }

  /** To be called at each keystroke; `false` where what was typed is gone. Ends by itself, and when the message is sent. */
  typing(conversationId: string, active = true): void {
    if (active) this.options.typing.press(conversationId);
    else this.options.typing.stop(conversationId);
  }

  private took(entry: Entry): ConversationView {
    this.options.synchronizer.take(entry);
    return this.options.store.conversation(entry.conversation.id).get()!;
  }
}
