import type { UserPresence } from '../sdk.ts';
import { Live } from './live.ts';
import { parley } from './parley.ts';

/** Who is there. */
class PresenceState {
  readonly #known = new Map<string, Live<UserPresence>>();
  #watched = '';

  of(userId: string): UserPresence {
    let live = this.#known.get(userId);
    if (!live) {
      live = new Live(parley.presence.of(userId));
      this.#known.set(userId, live);
    }
    return live.value;
  }

  /** Watches these people from now on, and nobody else. */
  watch(userIds: string[]): void {
    const key = userIds.join();
    if (key === this.#watched) return;
    this.#watched = key;
    parley.presence.watch(userIds);
  }

  forget(): void {
    this.#watched = '';
  }
}

export const presence = new PresenceState();
