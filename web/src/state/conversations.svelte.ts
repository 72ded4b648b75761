import type { ConversationView } from '../sdk.ts';
import { Live } from './live.ts';
import { parley } from './parley.ts';
import { router } from './router.svelte.ts';

/** The list of conversations, as it is filtered. */
class Conversations {
  filter = $state('');
  readonly #all = new Live(parley.store.conversations);

  /** All, latest activity first. */
  get all(): readonly ConversationView[] {
    return this.#all.value;
  }

  readonly shown = $derived.by(() => {
    const wanted = this.filter.trim().toLocaleLowerCase();
    if (wanted === '') return this.all;
    return this.all.filter(({ title, other }) => {
      return title.toLocaleLowerCase().includes(wanted) || other?.username.toLocaleLowerCase().includes(wanted);
    });
  });

  readonly unread = $derived.by(() => this.all.reduce((sum, { unread_count }) => sum + unread_count, 0));

  /** Goes to the conversation above or below the open one. */
  step(by: 1 | -1): void {
    const at = this.shown.findIndex(({ id }) => id === router.conversationId);
    const next = this.shown[at < 0 ? 0 : at + by];
    if (next) router.open(next.id);
  }

  /** How somebody of a conversation is called, also one who left it. */
  nameOf(conversationId: string, userId: string): string | undefined {
    return parley.store.participant(conversationId, userId)?.display_name;
  }

  async openDirect(userId: string): Promise<void> {
    const { id } = await parley.conversations.openDirect(userId);
    this.filter = '';
    router.open(id);
  }

  async createGroup(name: string, userIds: string[]): Promise<void> {
    const { id } = await parley.conversations.createGroup(name, userIds);
    this.filter = '';
    router.open(id);
  }
}

export const conversations = new Conversations();
