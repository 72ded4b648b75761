import type { Kysely } from 'kysely';

/** Who came, went or changed role since a `rev`, without a look at everybody else in the group. */
export const participantsByRev = () => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.createIndex('participants_rev').on('participants').columns(['conversation_id', 'rev']).execute();
  },

  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropIndex('participants_rev').execute();
  },
});
