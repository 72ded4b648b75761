import type { Transaction } from 'kysely';
import type { Config } from '../config/config.ts';
import type { Schema } from '../database/schema.ts';
import { ParleyError } from '../shared/errors.ts';
import { sweep } from '../shared/sweep.ts';
import type { AccountChanges, Tell } from './account-changes.ts';
import { isOpen, REPEAT_GRACE_MS, type Session } from './model.ts';
import type { SessionsRepository } from './repository.ts';

/** Sessions stay this long after they expired or were ended: an exchange that is under way still finds its row. */
const KEPT_AFTER_EXPIRY_MS = 24 * 3_600_000;
const SWEEP_CHUNK = 1000;

export interface SessionsDeps {
  repository: SessionsRepository;
  changes: AccountChanges;
  config: Pick<Config['auth'], 'jwt_refresh_expiry' | 'session_max_age' | 'max_sessions'>;
  /** Milliseconds since the Unix epoch. */
  now?: () => number;
}

/** How sessions begin, go on and end (ASVS 7.2–7.4). Whose they are and why is for others to know. */
export class SessionsService {
  private readonly now: () => number;

  constructor(private readonly deps: SessionsDeps) {
    this.now = deps.now ?? Date.now;
  }

  byId(id: string): Promise<Session | undefined> {
    return this.deps.repository.byId(id);
  }

  /**
   * Begins a session, in the transaction that found its user entitled to one. Where they have as many as one may, that ends
   * which was used longest ago (ASVS 7.1.2).
   */
  async start(tx: Transaction<Schema>, tell: Tell, userId: string): Promise<Session> {
    const now = this.now();
    const ended = await this.deps.repository.endOldest(tx, userId, now, this.deps.config.max_sessions - 1);
    if (ended.length > 0) tell({ kind: 'sessions_ended', user_id: userId, session_ids: ended });
    const session: Session = {
      id: Bun.randomUUIDv7(),
      user_id: userId,
      created_at: now,
      expires_at: this.expiry(now, now),
      ended_at: null,
      generation: 1,
      rotated_at: now,
    };
    await this.deps.repository.insert(tx, session);
    return session;
  }

  /**
   * Exchanges refresh token number `generation` for the next: the row that comes back says which that is. A repeat of the
   * exchange just made gets the same row for 30 s. Whatever else is older was stolen, from the client or by it: nobody
   * can tell which of the two asks, so the session ends for both (RFC 9700 §4.14.2; ASVS 10.4.5).
   */
  async exchange(userId: string, id: string, generation: number): Promise<Session> {
    const now = this.now();
    const before = await this.deps.repository.byId(id);
    if (before?.user_id !== userId) throw new ParleyError('invalid_token');
    const times = { now, expiresAt: this.expiry(now, before.created_at) };
    const exchanged = await this.deps.repository.exchange(id, generation, times);
    if (exchanged) return exchanged;

    const session = await this.deps.repository.byId(id);
    if (!session || session.ended_at !== null) throw new ParleyError('invalid_token');
    if (!isOpen(session, now)) throw new ParleyError('token_expired');
    const isRepeat = session.generation === generation + 1 && now - session.rotated_at <= REPEAT_GRACE_MS;
    if (isRepeat) return session;
    if (session.generation <= generation) throw new ParleyError('invalid_token');
    await this.end(userId, id);
    throw new ParleyError('token_reused');
  }

  /** Ends one session, and says whether it did: one that is over already stays as it is. */
  end(userId: string, id: string): Promise<boolean> {
    return this.deps.changes.run((tx, tell) => this.endIn(tx, tell, userId, id));
  }

  /** Ends one session in the transaction of what makes it end. */
  async endIn(tx: Transaction<Schema>, tell: Tell, userId: string, id: string): Promise<boolean> {
    const ended = await this.deps.repository.end(tx, userId, id, this.now());
    if (ended) tell({ kind: 'sessions_ended', user_id: userId, session_ids: [id] });
    return ended;
  }

  /** Ends all of a user's sessions but `except`, in the transaction of what makes them end. */
  async endAll(tx: Transaction<Schema>, tell: Tell, userId: string, except?: string): Promise<void> {
    const ended = await this.deps.repository.endAll(tx, userId, this.now(), except);
    if (ended.length > 0) tell({ kind: 'sessions_ended', user_id: userId, session_ids: ended });
  }

  /** Deletes the rows of sessions that are long over, and says how many; to be called now and then. */
  async sweep(signal?: AbortSignal): Promise<number> {
    const { repository } = this.deps;
    const before = this.now() - KEPT_AFTER_EXPIRY_MS;
    const expired = await sweep(SWEEP_CHUNK, (limit) => repository.deleteExpired(before, limit), signal);
    return expired + (await sweep(SWEEP_CHUNK, (limit) => repository.deleteEnded(before, limit), signal));
  }

  private expiry(now: number, createdAt: number): number {
    const { jwt_refresh_expiry, session_max_age } = this.deps.config;
    return Math.min(now + jwt_refresh_expiry, createdAt + session_max_age);
  }
}
