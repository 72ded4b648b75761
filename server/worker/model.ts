import type { Selectable } from 'kysely';
import type { ParkedJobsTable } from '../database/schema.ts';

export type ParkedJob = Selectable<ParkedJobsTable>;
