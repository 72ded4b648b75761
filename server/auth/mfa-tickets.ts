import { MFA_METHODS, type MfaMethod } from '../../protocol/errors.ts';
import type { Executor } from '../database/database.ts';
import type { Proof } from '../sessions/model.ts';
import { ParleyError } from '../shared/errors.ts';
import type { SealedIds } from '../shared/sealed-ids.ts';
import type { Account } from '../users/model.ts';
import type { MfaTicket, MfaTicketsRepository } from './mfa-tickets-repository.ts';
import { passwordMark } from './password-mark.ts';

export type { MfaTicket };

/** How long a second factor may take, in milliseconds. */
const TICKET_MS = 10 * 60_000;
/** Codes that one ticket takes. */
export const TICKET_TRIES = 5;
const PURPOSE = 'mfa ticket';

/** What is told to somebody whose second factor is missing. */
export interface TicketToShow {
  ticket: string;
  methods: MfaMethod[];
  expires_in: number;
}

export interface TicketFor {
  account: Account;
  proofs: readonly Proof[];
  /** The session that lacks the factor; a new one where it is left out. */
  sessionId?: string;
}

/** Sign-ins that wait for the second factor. A ticket is good once, for ten minutes, five codes and the password it was made for. */
export class MfaTickets {
  constructor(
    private readonly repository: MfaTicketsRepository,
    private readonly seals: SealedIds,
    private readonly now: () => number = Date.now,
  ) {}

  /** Makes one, in the transaction that found what was shown to be right. */
  async make(tx: Executor, { account, proofs, sessionId }: TicketFor): Promise<TicketToShow> {
    const now = this.now();
    const id = Bun.randomUUIDv7();
    await this.repository.insert(tx, {
      id,
      user_id: account.id,
      session_id: sessionId ?? null,
      proofs: proofs.join(','),
      password_mark: passwordMark(account.password_hash),
      created_at: now,
      expires_at: now + TICKET_MS,
      tries: 0,
      used_at: null,
    });
    return { ticket: this.seals.seal(PURPOSE, id), methods: [...MFA_METHODS], expires_in: TICKET_MS / 1000 };
  }

  /**
   * Counts a try of a ticket before its code is looked at, so that two nodes at once cannot try six. Fails with `link_expired`
   * where the ticket is none, was used, or is over.
   */
  async try(token: string): Promise<MfaTicket> {
    const id = this.seals.open(PURPOSE, token);
    const ticket = id && (await this.repository.countTry(id, { now: this.now(), most: TICKET_TRIES }));
    if (!ticket) throw new ParleyError('link_expired', 'This sign-in took too long: begin again');
    return ticket;
  }

  /** Uses a ticket up, in the transaction of the session that it opens, where the password is still the one it was made for. */
  async use(tx: Executor, ticket: MfaTicket, account: Account): Promise<void> {
    const isSame = passwordMark(account.password_hash) === ticket.password_mark;
    if (!isSame || !(await this.repository.use(tx, ticket.id, this.now()))) {
      throw new ParleyError('link_expired', 'This sign-in took too long: begin again');
    }
  }

  /** Deletes up to `limit` that are over, and says how many. */
  sweep(limit: number): Promise<number> {
    return this.repository.deleteExpired(this.now(), limit);
  }
}

/** What asks for a second factor. */
export function mfaRequired(mfa: TicketToShow): ParleyError {
  return new ParleyError('mfa_required', undefined, { mfa });
}
