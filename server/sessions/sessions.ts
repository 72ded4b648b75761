import type { Config } from '../config/config.ts';
import type { Executor } from '../database/database.ts';
import { ParleyError } from '../shared/errors.ts';
import { sweep } from '../shared/sweep.ts';
import type { AccountChanges, Change } from './account-changes.ts';
import { type EndReason, type Proof, REPEAT_GRACE_MS, requireOpen, type Session, type SessionStart } from './model.ts';
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

interface EndAll {
  /** The one that stays. */
  except?: string;
  reason?: EndReason;
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
   * Begins a session, in the change that found its user entitled to one. Where they have as many as one may, that ends
   * which was used longest ago (ASVS 7.1.2).
   */
  async start({ tx, tell }: Change, userId: string, { proofs, device, address }: SessionStart): Promise<Session> {
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
      device: device ?? null,
      address: address ?? null,
      proofs: proofs.join(','),
      proved_at: now,
      end_reason: null,
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
    requireOpen(session, now);
    const isRepeat = session.generation === generation + 1 && now - session.rotated_at <= REPEAT_GRACE_MS;
    if (isRepeat) return session;
    if (session.generation <= generation) throw new ParleyError('invalid_token');
    await this.end(userId, id);
    throw new ParleyError('token_reused');
  }

  /** Ends one session, and says whether it did: one that is over already stays as it is. */
  end(userId: string, id: string): Promise<boolean> {
    return this.deps.changes.run((change) => this.endIn(change, userId, id));
  }

  /** Ends one session in the change that makes it end. */
  async endIn({ tx, tell }: Change, userId: string, id: string, reason?: EndReason): Promise<boolean> {
    const ended = await this.deps.repository.end(tx, userId, id, { now: this.now(), reason });
    if (ended) tell({ kind: 'sessions_ended', user_id: userId, session_ids: [id] });
    return ended;
  }

  /** Ends all of a user's sessions but `except`, in the change that makes them end. Answers how many. */
  async endAll({ tx, tell }: Change, userId: string, { except, reason }: EndAll = {}): Promise<number> {
    const ended = await this.deps.repository.endAll(tx, userId, { now: this.now(), reason }, except);
    if (ended.length > 0) tell({ kind: 'sessions_ended', user_id: userId, session_ids: ended });
    return ended.length;
  }

  /** Whether a user has signed in on such a device and from there before. */
  isFamiliar(
    tx: Executor,
    userId: string,
    { device, address }: { device: string; address?: string },
  ): Promise<boolean> {
    return this.deps.repository.isFamiliar(tx, userId, device, address ?? '');
  }

  /** The sessions of a user that hold at this moment, the one used last first. */
  list(userId: string): Promise<Session[]> {
    return this.deps.repository.listOpen(userId, this.now());
  }

  /** Writes down what was shown for an open session a moment ago. Answers the session, where it is still open. */
  async prove(
    { tx, tell }: Change,
    userId: string,
    id: string,
    proofs: readonly Proof[],
  ): Promise<Session | undefined> {
    const session = await this.deps.repository.prove(tx, id, { proofs: proofs.join(','), now: this.now() });
    // What is kept of it in memory may lack what it may do from now on.
    if (session) tell({ kind: 'user_changed', user_id: userId });
    return session;
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
