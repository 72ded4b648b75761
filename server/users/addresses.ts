import type { Whence } from '../audit/events.ts';
import type { Executor } from '../database/database.ts';
import type { Change } from '../sessions/account-changes.ts';
import type { SessionsService } from '../sessions/sessions.ts';
import type { Account } from './model.ts';
import type { UsersRepository } from './repository.ts';

export interface AddressesDeps {
  repository: UsersRepository;
  sessions: SessionsService;
}

/** An account, and all others that hold or claim an address; none of them changes until the transaction ends. */
export interface Held {
  /** Undefined where it is deleted or closed. */
  account?: Account;
  others: Account[];
}

/** Whose an address is said to be, and whose it is known to be (AUTH.md). */
export class Addresses {
  constructor(private readonly deps: AddressesDeps) {}

  /** Locks an account and all that hold or claim an address, in one order, so that two who claim it at once take turns. */
  async hold(tx: Executor, userId: string, email: string): Promise<Held> {
    const found = await this.deps.repository.lockByAddress(tx, email, userId);
    const account = found.find(
      ({ id, is_active, deleted_at }) => id === userId && is_active === 1 && deleted_at === null,
    );
    return { account, others: found.filter(({ id }) => id !== userId) };
  }

  /** Whether an address is known to be somebody else's. */
  isTaken({ others }: Held, email: string): boolean {
    return others.some((other) => other.email === email && other.email_proven === 1);
  }

  /** Writes down which address an account asks for; the one that it has stays until this one is proven. */
  async claim({ tx, tell }: Change, userId: string, email: string): Promise<void> {
    await this.deps.repository.update(tx, userId, { unverified_email: email });
    tell({ kind: 'user_changed', user_id: userId });
  }

  /** Gives up what an account asks for beside the address that it has. */
  async dropClaim({ tx, tell }: Change, userId: string): Promise<void> {
    await this.deps.repository.update(tx, userId, { unverified_email: null });
    tell({ kind: 'user_changed', user_id: userId });
  }

  /**
   * Makes an address that was shown to be somebody's theirs. All others lose it; those who have no other lose their
   * sessions with it, and nothing of theirs is inherited. The caller has looked that it is not `isTaken`.
   */
  async prove(
    change: Change,
    { account, others }: Held & { account: Account },
    email: string,
    whence: Whence,
  ): Promise<void> {
    const { repository } = this.deps;
    for (const other of others) await this.lose(change, other, email, { whence, by: 'verification' });
    await repository.update(change.tx, account.id, { email, unverified_email: null, email_proven: 1 });
    change.tell({ kind: 'user_changed', user_id: account.id });
  }

  /** Takes an address from everybody, also from who has proven it. Answers who they were. */
  async release(change: Change, email: string): Promise<Account[]> {
    const holders = await this.deps.repository.lockByAddress(change.tx, email);
    for (const holder of holders) await this.lose(change, holder, email, { whence: {}, by: 'operator' });
    return holders;
  }

  private async lose(change: Change, loser: Account, email: string, { whence, by }: { whence: Whence; by: string }) {
    const { repository, sessions } = this.deps;
    const isTheirOwn = loser.email === email;
    const lost = isTheirOwn ? ({ email: null, email_proven: 0 } as const) : ({ unverified_email: null } as const);
    await repository.update(change.tx, loser.id, lost);
    if (isTheirOwn || loser.email === null) await sessions.endAll(change, loser.id);
    change.record({ kind: 'email.lost', subjectId: loser.id, whence, detail: { by } });
    change.tell({ kind: 'user_changed', user_id: loser.id });
  }
}
