import { type Kysely, sql } from 'kysely';
import type { ColumnTypes } from './column-types.ts';

/** What signing in stands on beside a password: proven addresses, links in letters, second factors, sessions with a face. */
export const signIn = (types: ColumnTypes) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    const users = db.schema.alterTable('users');
    await users.addColumn('unverified_email', types.key).execute();
    // Addresses from before count as proven: nobody is to be locked out by an upgrade.
    await users.addColumn('email_proven', types.flag, (column) => column.notNull().defaultTo(1)).execute();
    await users.addColumn('has_factor', types.flag, (column) => column.notNull().defaultTo(0)).execute();
    await users.addColumn('phone_signs_in', types.flag, (column) => column.notNull().defaultTo(1)).execute();
    await users.addColumn('must_change_password', types.flag, (column) => column.notNull().defaultTo(0)).execute();
    await db.schema
      .createIndex('users_unverified_email')
      .on('users')
      .column('unverified_email')
      .where(sql.ref('unverified_email'), 'is not', null)
      .execute();

    const sessions = db.schema.alterTable('sessions');
    await sessions.addColumn('device', 'text').execute();
    await sessions.addColumn('address', 'text').execute();
    await sessions.addColumn('proofs', 'text', (column) => column.notNull().defaultTo('password')).execute();
    await sessions.addColumn('proved_at', types.time, (column) => column.notNull().defaultTo(0)).execute();
    await sessions.addColumn('end_reason', 'text').execute();

    await db.schema
      .createTable('account_links')
      .addColumn('id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('user_id', types.id, (column) => column.notNull().references('users.id'))
      .addColumn('purpose', 'text', (column) => column.notNull())
      .addColumn('email', types.key, (column) => column.notNull())
      .addColumn('password_mark', 'text')
      .addColumn('created_at', types.time, (column) => column.notNull())
      .addColumn('expires_at', types.time, (column) => column.notNull())
      .addColumn('used_at', types.time)
      .addColumn('tries', types.counter, (column) => column.notNull().defaultTo(0))
      .execute();
    await db.schema.createIndex('account_links_user').on('account_links').columns(['user_id', 'purpose']).execute();
    await db.schema.createIndex('account_links_expiry').on('account_links').column('expires_at').execute();

    await db.schema
      .createTable('mfa_tickets')
      .addColumn('id', types.id, (column) => column.primaryKey().notNull())
      .addColumn('user_id', types.id, (column) => column.notNull().references('users.id'))
      .addColumn('session_id', types.id)
      .addColumn('proofs', 'text', (column) => column.notNull())
      .addColumn('password_mark', 'text')
      .addColumn('created_at', types.time, (column) => column.notNull())
      .addColumn('expires_at', types.time, (column) => column.notNull())
      .addColumn('tries', types.counter, (column) => column.notNull().defaultTo(0))
      .addColumn('used_at', types.time)
      .execute();
    await db.schema.createIndex('mfa_tickets_expiry').on('mfa_tickets').column('expires_at').execute();
    await db.schema.createIndex('mfa_tickets_user').on('mfa_tickets').column('user_id').execute();

    await db.schema
      .createTable('totp')
      .addColumn('user_id', types.id, (column) => column.primaryKey().notNull().references('users.id'))
      .addColumn('secret', 'text')
      .addColumn('confirmed_at', types.time)
      .addColumn('last_step', types.counter, (column) => column.notNull().defaultTo(0))
      .addColumn('pending_secret', 'text')
      .addColumn('pending_at', types.time)
      .execute();

    await db.schema
      .createTable('recovery_codes')
      .addColumn('user_id', types.id, (column) => column.notNull().references('users.id'))
      .addColumn('hint', types.key, (column) => column.notNull())
      .addColumn('code_hash', 'text', (column) => column.notNull())
      .addColumn('created_at', types.time, (column) => column.notNull())
      .addColumn('used_at', types.time)
      .addPrimaryKeyConstraint('recovery_codes_key', ['user_id', 'hint'])
      .execute();
  },

  async down(db: Kysely<unknown>): Promise<void> {
    for (const table of ['recovery_codes', 'totp', 'mfa_tickets', 'account_links']) {
      await db.schema.dropTable(table).execute();
    }
    const sessions = db.schema.alterTable('sessions');
    for (const column of ['end_reason', 'proved_at', 'proofs', 'address', 'device']) {
      await sessions.dropColumn(column).execute();
    }
    await db.schema.dropIndex('users_unverified_email').execute();
    const users = db.schema.alterTable('users');
    for (const column of ['must_change_password', 'phone_signs_in', 'has_factor', 'email_proven', 'unverified_email']) {
      await users.dropColumn(column).execute();
    }
  },
});
