import type { Bus } from '../bus/bus.ts';
import type { CheckedSession } from './model.ts';
import type { SharedSessions } from './shared-sessions.ts';

/** How long a session is believed without asking the database: what a lost publication may cost (PROTOCOL.md §7.5). */
export const BELIEVED_MS = 5000;
const MAX_SESSIONS = 10_000;

/**
 * Sessions that were found to hold a moment ago, by this node or by one that shares what it found, so that most requests
 * ask no database. What ends or changes one is heard on the bus and forgets it at once.
 */
export class SessionCache {
  private readonly sessions = new Map<string, { session: CheckedSession; until: number; isOwn: boolean }>();
  /** Counts what was heard: an answer that was under way meanwhile may be older than the news. */
  private heard = 0;

  constructor(
    bus: Bus,
    private readonly shared?: SharedSessions,
    private readonly now: () => number = Date.now,
  ) {
    bus.subscribe('accounts', (news) => {
      this.heard++;
      this.shared?.forget(news.user_id);
      if (news.kind === 'sessions_ended') for (const id of news.session_ids) this.sessions.delete(id);
      else this.forgetUser(news.user_id);
    });
  }

  /** A user's session as it was within the last 5 s, or else as `load` finds it. One that does not hold is not kept. */
  async get(userId: string, id: string, load: () => Promise<CheckedSession>): Promise<CheckedSession> {
    const kept = this.sessions.get(id);
    if (kept && kept.until > this.now()) return kept.session;
    this.sessions.delete(id);
    const { heard } = this;
    const found = await this.shared?.find(userId, id);
    if (found && heard === this.heard) {
      this.keep(found.session, found.believedMs, false);
      return found.session;
    }
    const askedAt = this.shared?.now();
    const session = await load();
    if (heard === this.heard) {
      this.keep(session, BELIEVED_MS, true);
      if (askedAt !== undefined) this.shared?.keep(session, askedAt);
    }
    return session;
  }

  /**
   * Whether this node looked the session up itself a moment ago, and has heard nothing of it since. What ended it after
   * that look-up is yet to be heard here, from the bus or the outbox: what another node found may be older than that.
   */
  hasLookedUp(id: string): boolean {
    const kept = this.sessions.get(id);
    return kept?.isOwn === true && kept.until > this.now();
  }

  private keep(session: CheckedSession, believedMs: number, isOwn: boolean): void {
    if (this.sessions.size >= MAX_SESSIONS) this.sessions.delete(this.sessions.keys().next().value!);
    const until = Math.min(this.now() + Math.min(believedMs, BELIEVED_MS), session.expiresAt);
    this.sessions.set(session.sessionId, { session, until, isOwn });
  }

  private forgetUser(userId: string): void {
    for (const [id, { session }] of this.sessions) if (session.userId === userId) this.sessions.delete(id);
  }
}
