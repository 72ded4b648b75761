import type { Kysely } from 'kysely';

/** What the audit trail is asked for, and by which columns that is found: the newest of all, of an account, of a kind. */
const ASKED = { audit_at: [], audit_subject: ['subject_id'], audit_actor: ['actor_id'], audit_kind: ['kind'] };

/** The audit trail is read along an index in the order of its pages, also between rows of one moment. */
export const auditOrder = () => ({
  async up(db: Kysely<unknown>): Promise<void> {
    for (const [name, columns] of Object.entries(ASKED)) {
      await db.schema.dropIndex(name).ifExists().execute();
      await db.schema
        .createIndex(name)
        .on('audit')
        .columns([...columns, 'at', 'id'])
        .execute();
    }
  },

  async down(db: Kysely<unknown>): Promise<void> {
    for (const [name, columns] of Object.entries(ASKED)) {
      await db.schema.dropIndex(name).execute();
      if (name === 'audit_kind') continue; // which there was not before
      await db.schema
        .createIndex(name)
        .on('audit')
        .columns([...columns, 'at'])
        .execute();
    }
  },
});
