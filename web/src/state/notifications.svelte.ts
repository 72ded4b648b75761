import { toLine } from '../lib/message-text.ts';
import type { Message } from '../sdk.ts';
import { strings } from '../strings.ts';
import { attention } from './attention.svelte.ts';
import { parley } from './parley.ts';
import { router } from './router.svelte.ts';

const KEY = 'parley.notifications';

/** Desktop notifications, where the person wants them, and what screen readers are told. */
class Notifications {
  permission = $state<NotificationPermission>(typeof Notification === 'undefined' ? 'denied' : Notification.permission);
  isWanted = $state(stored());
  /** The newest message of the open conversation, for the live region. */
  announced = $state('');
  /** Those of this tab that are on the screen, as far as it has heard. */
  readonly #shown = new Set<Notification>();

  get isOn(): boolean {
    return this.isWanted && this.permission === 'granted';
  }

  /** Asks the browser for its leave, where it has not given it. */
  async choose(isWanted: boolean): Promise<void> {
    if (isWanted && this.permission === 'default') this.permission = await Notification.requestPermission();
    this.isWanted = isWanted && this.permission === 'granted';
    try {
      localStorage.setItem(KEY, String(this.isWanted));
    } catch {
      // Without storage it holds until the tab is closed.
    }
  }

  watch(): void {
    parley.on('message', (message) => this.#hear(message));
    parley.on('signed_out', () => this.#takeBack());
  }

  /** They hold what messages say, and nobody is signed in any more. */
  #takeBack(): void {
    this.announced = '';
    for (const shown of this.#shown) shown.close();
    this.#shown.clear();
  }

  #hear(message: Message): void {
    const view = parley.store.conversation(message.conversation_id).get();
    if (message.sender_id === parley.user?.id || message.type === 'system' || !view || view.unread_count === 0) return;
    const sender = parley.store.participant(view.id, message.sender_id)?.display_name ?? message.sender_username;
    const text = toLine(message.content);
    const isOpen = router.conversationId === view.id;
    if (isOpen) this.announced = strings.chat.says(sender, text);
    if (!this.isOn || (isOpen && attention.isHere)) return;
    // All tabs tell the same one: the tag makes it one notification.
    const group = view.type === 'group' ? view.title : undefined;
    this.#show(strings.notification.title(sender, group), { body: text, tag: message.id }, view.id);
  }

  #show(title: string, options: NotificationOptions, conversationId: string): void {
    try {
      const shown = new Notification(title, { ...options, icon: '/assets/icon-192.png' });
      this.#shown.add(shown);
      shown.onclose = () => this.#shown.delete(shown);
      shown.onclick = () => {
        window.focus();
        router.open(conversationId);
        shown.close();
      };
    } catch {
      // Phones allow notifications to service workers only, and this is about desktops.
    }
  }
}

function stored(): boolean {
  try {
    return localStorage.getItem(KEY) === 'true';
  } catch {
    return false;
  }
}

export const notifications = new Notifications();
