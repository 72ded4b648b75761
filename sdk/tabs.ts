import type { Locks } from './locks.ts';
import type { Outgoing } from './outbox.ts';
import type { User } from './protocol.ts';
import { callSafely } from './store/observable.ts';

/** What tabs of one user tell each other. */
export type TabNews = { user_id: string } & (
  | { kind: 'queued'; item: Outgoing }
  | { kind: 'settled'; item: Outgoing }
  | { kind: 'discarded'; client_id: string }
  | { kind: 'read'; conversation_id: string; seq: number }
  | { kind: 'changed'; user: User }
  | { kind: 'signed_in' }
  | { kind: 'ended'; reason: string }
  | { kind: 'signed_out' }
);

/**
 * The tabs that share one storage: each tells the others what it does with it, and one of them leads, which sends for all.
 * Without a BroadcastChannel there are no others.
 */
export class Tabs {
  private channel: BroadcastChannel | undefined;
  private resign: AbortController | undefined;

  constructor(
    private readonly name: string,
    private readonly locks: Locks,
    private readonly hear: (news: TabNews) => void,
  ) {}

  /** Listens to the others. */
  open(): void {
    if (this.channel || typeof BroadcastChannel === 'undefined') return;
    this.channel = new BroadcastChannel(`parley ${this.name}`);
    this.channel.onmessage = ({ data }) => callSafely(this.hear, data as TabNews);
    // In Node an open channel would keep the process.
    (this.channel as { unref?(): void }).unref?.();
  }

  /** Tells the others. */
  tell(news: TabNews): void {
    this.channel?.postMessage(news);
  }

  /** Calls `onLead` once this tab leads: at once, or when the one that does is closed. Leads until `rest`. */
  lead(onLead: () => void): void {
    if (this.resign) return;
    const resign = new AbortController();
    this.resign = resign;
    const { signal } = resign;
    this.locks
      .request(`parley lead ${this.name}`, { signal }, async () => {
        if (signal.aborted) return;
        onLead();
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      })
      .catch(() => {}); // it no longer wanted to
  }

  /** Lets another tab lead. */
  rest(): void {
    this.resign?.abort();
    this.resign = undefined;
  }

  /** Hears of no other tab any more, and leads none. */
  close(): void {
    this.rest();
    this.channel?.close();
    this.channel = undefined;
  }
}
