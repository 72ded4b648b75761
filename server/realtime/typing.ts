import { MAX_TYPING_CONVERSATIONS, TYPING_MS } from '../../protocol/limits.ts';
import type { Bus } from '../bus/bus.ts';
import type { RateLimit } from '../limits/rate-limits.ts';
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

  constructor(
    private readonly bus: Bus,
    /** How often a user may be told to begin: all in the conversation hear it. */
    private readonly limit?: Pick<RateLimit, 'take'>,
  ) {}

  /** Fails with `rate_limited` where the user began too often. */
  start(user: LocalUser, conversationId: string): Promise<void> | undefined {
    const places = this.active.get(user.id);
    const before = places?.get(conversationId);
    if (!before && places && places.size >= MAX_TYPING_CONVERSATIONS) return undefined;
    if (before && Date.now() - before.toldAt < RENEWAL_MS) this.keep(user, conversationId, before.toldAt);
    else if (this.limit) return this.limit.take(user.id).then(() => this.begin(user, conversationId));
    else this.begin(user, conversationId);
    return undefined;
  }

  private begin(user: LocalUser, conversationId: string): void {
    this.keep(user, conversationId, Date.now());
    this.tell(user, conversationId, true);
  }

  private keep(user: LocalUser, conversationId: string, toldAt: number): void {
    const places = this.active.get(user.id) ?? new Map<string, Active>();
    this.active.set(user.id, places);
    clearTimeout(places.get(conversationId)?.timer);
    const timer = setTimeout(() => this.stop(user, conversationId), TYPING_MS);
    places.set(conversationId, { timer, toldAt });
  }

  stop(user: LocalUser, conversationId: string): undefined {
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
