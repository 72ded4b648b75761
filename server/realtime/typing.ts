import { MAX_TYPING_CONVERSATIONS, TYPING_MS } from '../../protocol/limits.ts';
import type { Bus } from '../bus/bus.ts';
import type { LocalUser } from './local-user.ts';

/** Who says again that they type is told on at most this often, in milliseconds. */
const RENEWAL_MS = 2000;

interface Active {
  timer: Timer;
  toldAt: number;
}

/** Who is typing where. Nothing of it is stored; it dies by itself, and when the message comes. */
export class TypingSignals {
  private readonly active = new Map<string, Map<string, Active>>();

  constructor(private readonly bus: Bus) {}

  start(user: LocalUser, conversationId: string): void {
    const places = this.active.get(user.id) ?? new Map<string, Active>();
    const before = places.get(conversationId);
    if (!before && places.size >= MAX_TYPING_CONVERSATIONS) return;
    this.active.set(user.id, places);
    clearTimeout(before?.timer);
    const now = Date.now();
    const isNews = !before || now - before.toldAt >= RENEWAL_MS;
    const timer = setTimeout(() => this.stop(user, conversationId), TYPING_MS);
    places.set(conversationId, { timer, toldAt: isNews ? now : before.toldAt });
    if (isNews) this.tell(user, conversationId, true);
  }

  stop(user: LocalUser, conversationId: string): void {
    const places = this.active.get(user.id);
    const before = places?.get(conversationId);
    if (!places || !before) return;
    clearTimeout(before.timer);
    places.delete(conversationId);
    if (places.size === 0) this.active.delete(user.id);
    // Whoever was removed meanwhile says nothing there any more, not even this. Who is new there may not be known here yet.
    const hasLeft = !user.conversations.has(conversationId) && user.membershipRevs.has(conversationId);
    if (!hasLeft) this.tell(user, conversationId, false);
  }

  /** Ends what a user who is gone was typing. */
  stopAll(user: LocalUser): void {
    for (const conversationId of [...(this.active.get(user.id)?.keys() ?? [])]) this.stop(user, conversationId);
  }

  private tell(user: LocalUser, conversation_id: string, active: boolean): void {
    const frame = { event: 'typing' as const, conversation_id, user_id: user.id, username: user.username, active };
    this.bus.publish(`conversation:${conversation_id}`, { conversation_id, signals: [frame] });
  }
}
