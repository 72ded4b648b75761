import type { Updateable } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import { prepared } from '../database/prepared.ts';
import type { UsersTable } from '../database/schema.ts';
import type { Account } from './model.ts';

/** Values of one IN list: far below what either engine takes, and few texts of statements to keep. */
const CHUNK = 500;
/** Above every character that a name holds: the end of a prefix's range. */
const LAST_CHARACTER = '\u{10FFFF}';

export interface UsernamePage {
  prefix: string;
  /** The username key that the page before ended with. */
  after?: string;
  limit: number;
}

export interface DisplayNamePage {
  prefix: string;
  after?: { display_name_key: string; id: string };
  limit: number;
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
      .where('username_key', 'is', null) // which has an index, and is so of no other
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

  /** Active users whose username begins with `prefix`, by username. */
  searchUsernames({ prefix, after, limit }: UsernamePage): Promise<Account[]> {
    let query = this.database.read
      .selectFrom('users')
      .selectAll()
      .where('is_active', '=', 1)
      .where('username_key', '<', prefix + LAST_CHARACTER);
    // One lower bound, so that the walk along the index begins where the page before ended.
    query = after === undefined ? query.where('username_key', '>=', prefix) : query.where('username_key', '>', after);
    return query.orderBy('username_key').limit(limit).execute();
  }

  /** Active users whose display name begins with `prefix` and whose username does not, by display name. */
  searchDisplayNames({ prefix, after, limit }: DisplayNamePage): Promise<Account[]> {
    const end = prefix + LAST_CHARACTER;
    let query = this.database.read
      .selectFrom('users')
      .selectAll()
      .where('is_active', '=', 1)
      .where('display_name_key', '>=', after?.display_name_key ?? prefix)
      .where('display_name_key', '<', end)
      .where(({ eb, or }) => or([eb('username_key', '<', prefix), eb('username_key', '>=', end)]));
    if (after !== undefined) {
      query = query.where(({ eb, or, and }) =>
        or([
          eb('display_name_key', '>', after.display_name_key),
          and([eb('display_name_key', '=', after.display_name_key), eb('id', '>', after.id)]),
        ]),
      );
    }
    return query.orderBy('display_name_key').orderBy('id').limit(limit).execute();
  }
}
