import type { Api } from './api.ts';
import { type BackoffOptions, retrying } from './backoff.ts';
import type { Message } from './protocol.ts';
import type { Store } from './store/store.ts';

/** A change is tried this often before it is taken back. */
const ATTEMPTS = 3;

export interface MessageChangesOptions {
  api: Api;
  store: Store;
  backoff?: BackoffOptions;
}

/** Changes of messages that stand: each is shown at once, made, and taken back where it fails. */
export class MessageChanges {
  constructor(private readonly options: MessageChangesOptions) {}

  /** With the message's `rev`, so that an edit that arrives late undoes nobody's. */
  edit(id: string, messageId: string, content: string): Promise<Message> {
    const { api, store } = this.options;
    const if_rev = store.get(id)?.message(messageId)?.rev;
    const edited = (message: Message) => ({ ...message, content, edited_at: Date.now() });
    return this.make(id, messageId, edited, () => api.edit(id, messageId, { content, if_rev }));
  }

  delete(id: string, messageId: string): Promise<Message> {
    const tombstone = ({ reactions: _, ...message }: Message) => ({ ...message, content: '', deleted_at: Date.now() });
    return this.make(id, messageId, tombstone, () => this.options.api.delete(id, messageId));
  }

  react(id: string, messageId: string, emoji: string, isMine: boolean): Promise<Message> {
    const { api, store } = this.options;
    const reacted = (message: Message) => withReaction(message, emoji, store.me.id, isMine);
    return this.make(id, messageId, reacted, () =>
      isMine ? api.react(id, messageId, emoji) : api.unreact(id, messageId, emoji),
    );
  }

  private async make(
    id: string,
    messageId: string,
    apply: (message: Message) => Message,
    request: () => Promise<Message>,
  ): Promise<Message> {
    const { store, backoff } = this.options;
    const takeBack = store.patch(id, { messageId, apply });
    try {
      const message = await retrying(request, { attempts: ATTEMPTS, backoff });
      store.putMessage(message);
      return message;
    } finally {
      takeBack();
    }
  }
}

/** The message as it will be with one's own reaction, or without it. */
function withReaction(message: Message, emoji: string, me: string, isMine: boolean): Message {
  const reactions = message.reactions ?? [];
  const before = reactions.find((one) => one.emoji === emoji) ?? { emoji, count: 0, user_ids: [] };
  if (Boolean(before.me) === isMine) return message;
  const others = before.user_ids.filter((id) => id !== me);
  const after = isMine
    ? { emoji, count: before.count + 1, user_ids: [...others, me], me: true as const }
    : { emoji, count: before.count - 1, user_ids: others };
  const isKnown = reactions.some((one) => one.emoji === emoji);
  const changed = isKnown ? reactions.map((one) => (one.emoji === emoji ? after : one)) : [...reactions, after];
  return { ...message, reactions: changed.filter(({ count }) => count > 0) };
}
