import type { Updateable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import { prepared } from '../database/prepared.ts';
import type { UsersTable } from '../database/schema.ts';
import type { Account } from './model.ts';

/** Values of one IN list: far below what either engine takes, and few texts of statements to keep. */
const CHUNK = 500;
/** Above every character that a name holds: the end of a prefix's range. */
const LAST_CHARACTER = '\u{10FFFF}';

/** People looked at for one page of a search, at most: those who are passed over among them. */
const WALKED = 1000;

export interface UsernamePage {
  prefix: string;
  /** The username key that the page before ended with. */
  after?: string;
  limit: number;
}

/** Where a walk by display name stands. */
export interface DisplayNamePlace {
  display_name_key: string;
  id: string;
}

export interface DisplayNamePage {
  prefix: string;
  after?: DisplayNamePlace;
  limit: number;
}

/** What a walk found; `walkedTo` is where it ended where it was cut: there may be more behind it. */
export interface Walked<Place> {
  found: Account[];
  walkedTo?: Place;
}

/** The table `users`. */
export class UsersRepository {
  private readonly account = prepared((ask: { id: string }) => [
    this.database.read.selectFrom('users').selectAll().where('id', '=', ask.id).compile(),
  ]);

  constructor(private readonly database: Database) {}

  async insert(tx: Executor, account: Account): Promise<void> {
    await tx.insertInto('users').values(account).execute();
  }

  async byId(id: string): Promise<Account | undefined> {
    const [[account]] = await this.database.readTogether(this.account({ id }));
    return account;
  }

  /** The account of which a unique column has this value. */
  by(column: 'email' | 'username_key' | 'phone_number', value: string): Promise<Account | undefined> {
    return this.database.read.selectFrom('users').selectAll().where(column, '=', value).executeTakeFirst();
  }

  /**
   * Whom an address means: who holds it, or else the only account that asks for it and has no other. Two that ask for one
   * are nobody, until one of them has shown that it is theirs.
   */
  async byAddress(email: string): Promise<Account | undefined> {
    const holder = await this.by('email', email);
    if (holder) return holder;
    const claimants = await this.database.read
      .selectFrom('users')
      .selectAll()
      .where('unverified_email', '=', email)
      .where('email', 'is', null)
      .limit(2)
      .execute();
    return claimants.length === 1 ? claimants[0] : undefined;
  }

  /** All that hold or ask for an address, and one more by its id, in the order of ids. They stay as they are until the transaction ends. */
  lockByAddress(tx: Executor, email: string, id?: string): Promise<Account[]> {
    const query = tx
      .selectFrom('users')
      .selectAll()
      .where(({ eb, or }) =>
        or([
          eb('email', '=', email),
          eb('unverified_email', '=', email),
          ...(id === undefined ? [] : [eb('id', '=', id)]),
        ]),
      )
      .orderBy('id');
    // SQLite: the transaction itself is the lock, since all writes take turns.
    return (this.database.engine === 'postgres' ? query.forUpdate() : query).execute();
  }

  byIds(ids: string[]): Promise<Account[]> {
    return this.byMany('id', ids);
  }

  byEmails(emails: string[]): Promise<Account[]> {
    return this.byMany('email', emails);
  }

  /** How many of `ids` are accounts in use. They stay so until the transaction ends. */
  async holdActive(tx: Executor, ids: string[]): Promise<number> {
    let active = 0;
    for (let start = 0; start < ids.length; start += CHUNK) {
      const query = tx
        .selectFrom('users')
        .select('id')
        .where('id', 'in', ids.slice(start, start + CHUNK))
        .where('is_active', '=', 1);
      // SQLite: the transaction itself is the lock, since all writes take turns.
      active += (await (this.database.engine === 'postgres' ? query.forShare() : query).execute()).length;
    }
    return active;
  }

  /** A page of deleted accounts, in id order. */
  async listDeletedIds(limit: number, afterId?: string): Promise<string[]> {
    let query = this.database.read
      .selectFrom('users')
      .select('id')
      .where('deleted_at', 'is not', null)
      .orderBy('id')
      .limit(limit);
    if (afterId !== undefined) query = query.where('id', '>', afterId);
    return (await query.execute()).map(({ id }) => id);
  }

  private async byMany(column: 'id' | 'email', values: string[]): Promise<Account[]> {
    const found: Account[] = [];
    for (let start = 0; start < values.length; start += CHUNK) {
      const chunk = values.slice(start, start + CHUNK);
      found.push(...(await this.database.read.selectFrom('users').selectAll().where(column, 'in', chunk).execute()));
    }
    return found;
  }

  /** Changes an account that is not deleted, and answers it as it now stands. */
  update(tx: Executor, id: string, changes: Updateable<UsersTable>): Promise<Account | undefined> {
    return tx
      .updateTable('users')
      .set(changes)
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .returningAll()
      .executeTakeFirst();
  }

  /**
   * Replaces the hash of an active account where it is still `known`, and answers the account then. Replacing a hash by itself
   * locks the row: what follows in the transaction is right for the password that was verified before it.
   */
  replaceHash(tx: Executor, id: string, known: string, next: string): Promise<Account | undefined> {
    return tx
      .updateTable('users')
      .set({ password_hash: next })
      .where('id', '=', id)
      .where('password_hash', '=', known)
      .where('is_active', '=', 1)
      .returningAll()
      .executeTakeFirst();
  }

  /** An account that is not deleted, which nothing else changes before the transaction ends. */
  hold(tx: Executor, id: string): Promise<Account | undefined> {
    const query = tx.selectFrom('users').selectAll().where('id', '=', id).where('deleted_at', 'is', null);
    // SQLite: the transaction itself is the lock.
    return (this.database.engine === 'postgres' ? query.forUpdate() : query).executeTakeFirst();
  }

  /** Takes away that the password is to be changed, where that is so. */
  passwordIsOwn(tx: Executor, id: string): Promise<{ id: string }[]> {
    return tx
      .updateTable('users')
      .set({ must_change_password: 0 })
      .where('id', '=', id)
      .where('must_change_password', '=', 1)
      .returning('id')
      .execute();
  }

  /**
   * Active users whose username begins with `prefix`, by username. It ends where the index does not begin so any more, and
   * after so many people, whoever of them is shown.
   */
  async searchUsernames({ prefix, after, limit }: UsernamePage): Promise<Walked<string>> {
    const end = prefix + LAST_CHARACTER;
    const isBehind = after !== undefined && isAtOrBehind(after, prefix);
    // One lower bound and one upper: of two an engine may walk by the one that is further away.
    const walk = this.database.read
      .selectFrom('users')
      .where('username_key', isBehind ? '>' : '>=', isBehind ? after : prefix)
      .orderBy('username_key');
    const whole = walk.where('username_key', '<', end);
    const [last] = await whole
      .select('username_key')
      .offset(WALKED - 1)
      .limit(1)
      .execute();
    const walkedTo = last?.username_key ?? undefined;
    const found = await (walkedTo === undefined ? whole : walk.where('username_key', '<=', walkedTo))
      .selectAll()
      .where('is_active', '=', 1)
      .limit(limit)
      .execute();
    return { found, walkedTo };
  }

  /** Active users whose display name begins with `prefix` and whose username does not, by display name; cut in the same way. */
  async searchDisplayNames({ prefix, after, limit }: DisplayNamePage): Promise<Walked<DisplayNamePlace>> {
    const end = prefix + LAST_CHARACTER;
    const all = this.database.read.selectFrom('users').orderBy('display_name_key').orderBy('id');
    const walk =
      after !== undefined && isAtOrBehind(after.display_name_key, prefix)
        ? all.where(({ eb, refTuple, tuple }) =>
            eb(refTuple('display_name_key', 'id'), '>', tuple(after.display_name_key, after.id)),
          )
        : all.where('display_name_key', '>=', prefix);
    const whole = walk.where('display_name_key', '<', end);
    const [walkedTo] = await whole
      .select(['display_name_key', 'id'])
      .offset(WALKED - 1)
      .limit(1)
      .execute();
    const cut = walkedTo
      ? walk.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('display_name_key', 'id'), '<=', tuple(walkedTo.display_name_key, walkedTo.id)),
        )
      : whole;
    const found = await cut
      .selectAll()
      .where('is_active', '=', 1)
      // Not by the column itself: a walk along the index of usernames would have to be sorted whole.
      .where(({ eb, fn, or, val }) => {
        const username = fn.coalesce('username_key', val(''));
        return or([eb(username, '<', prefix), eb(username, '>=', end)]);
      })
      .limit(limit)
      .execute();
    return { found, walkedTo };
  }
}

/** Whether a key stands at or behind another in the order of both engines, which is that of their bytes. */
function isAtOrBehind(key: string, other: string): boolean {
  return Buffer.compare(Buffer.from(key), Buffer.from(other)) >= 0;
}
