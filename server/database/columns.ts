import type { SelectType } from 'kysely';
import type { Schema } from './schema.ts';

/**
 * What a column holds, as far as the engines keep it in different ways:
 *
 * - `id`: a UUID, as text in the program.
 * - `text`: text, whatever it looks like.
 * - `compact`: text that SQLite keeps in 16 bytes where it is a UUID. These are keys that clients choose, and that were
 *   always kept so: a stored key must be found again, and be unique.
 * - `blob`: bytes, as a `Uint8Array` in the program.
 * - `number`: a number or a flag.
 */
export type ColumnKind = 'id' | 'text' | 'compact' | 'blob' | 'number';

/** The kinds of columns by their names, which say the same in every table. */
export type ColumnKinds = Readonly<Record<string, ColumnKind>>;

/** Which kinds a column of a type can have. */
type KindsOf<Value> =
  NonNullable<Value> extends number
    ? 'number'
    : NonNullable<Value> extends string
      ? 'id' | 'text' | 'compact'
      : NonNullable<Value> extends Uint8Array
        ? 'blob'
        : never;

type Columns = { [T in keyof Schema]: { [C in keyof Schema[T]]: KindsOf<SelectType<Schema[T][C]>> } };

/** The kind of every column of the schema: the type asks for each of them, a test compares them with both engines. */
export const COLUMNS: Columns = {
  users: {
    id: 'id',
    email: 'text',
    username: 'text',
    username_key: 'compact',
    display_name: 'text',
    display_name_key: 'text',
    phone_number: 'text',
    password_hash: 'text',
    avatar_url: 'text',
    status: 'text',
    role: 'text',
    is_active: 'number',
    created_at: 'number',
    deleted_at: 'number',
    unverified_email: 'text',
    email_proven: 'number',
    has_factor: 'number',
    phone_signs_in: 'number',
    must_change_password: 'number',
  },
  username_claims: { name_hash: 'text', user_id: 'id', held_until: 'number' },
  sessions: {
    id: 'id',
    user_id: 'id',
    created_at: 'number',
    expires_at: 'number',
    ended_at: 'number',
    generation: 'number',
    rotated_at: 'number',
    device: 'text',
    address: 'text',
    proofs: 'text',
    proved_at: 'number',
    end_reason: 'text',
  },
  account_links: {
    id: 'id',
    user_id: 'id',
    purpose: 'text',
    email: 'text',
    password_mark: 'text',
    created_at: 'number',
    expires_at: 'number',
    used_at: 'number',
    tries: 'number',
  },
  mfa_tickets: {
    id: 'id',
    user_id: 'id',
    session_id: 'id',
    proofs: 'text',
    password_mark: 'text',
    created_at: 'number',
    expires_at: 'number',
    tries: 'number',
    used_at: 'number',
  },
  totp: {
    user_id: 'id',
    secret: 'text',
    confirmed_at: 'number',
    last_step: 'number',
    pending_secret: 'text',
    pending_at: 'number',
  },
  recovery_codes: { user_id: 'id', hint: 'text', code_hash: 'text', created_at: 'number', used_at: 'number' },
  audit: {
    id: 'id',
    at: 'number',
    kind: 'text',
    outcome: 'text',
    actor_id: 'id',
    subject_id: 'id',
    session_id: 'id',
    address: 'text',
    request_id: 'text',
    detail: 'text',
  },
  conversations: {
    id: 'id',
    type: 'text',
    name: 'text',
    created_by: 'id',
    low_user_id: 'id',
    high_user_id: 'id',
    created_at: 'number',
    updated_at: 'number',
    seq: 'number',
    rev: 'number',
    meta_rev: 'number',
    marks_rev: 'number',
  },
  participants: {
    conversation_id: 'id',
    user_id: 'id',
    role: 'text',
    joined_at: 'number',
    rev: 'number',
    left_rev: 'number',
    read_seq: 'number',
    delivered_seq: 'number',
    marks_rev: 'number',
  },
  messages: {
    conversation_id: 'id',
    seq: 'number',
    rev: 'number',
    created_rev: 'number',
    id: 'id',
    sender_id: 'id',
    client_id: 'compact',
    type: 'text',
    content: 'text',
    system: 'text',
    reply_to_id: 'id',
    sent_at: 'number',
    edited_at: 'number',
    deleted_at: 'number',
  },
  reactions: { conversation_id: 'id', message_id: 'id', emoji: 'text', user_id: 'id', created_at: 'number' },
  reaction_kinds: { conversation_id: 'id', message_id: 'id', emoji: 'text', total: 'number' },
  conversation_totals: { conversation_id: 'id', participants: 'number' },
  account_totals: { user_id: 'id', conversations: 'number', stored_bytes: 'number' },
  conversation_events: {
    conversation_id: 'id',
    rev: 'number',
    kind: 'text',
    actor_id: 'id',
    message_seq: 'number',
    user_ids: 'text',
    emoji: 'text',
    created_at: 'number',
  },
  last_seen: { user_id: 'id', at: 'number' },
  outbox: {
    id: 'number',
    kind: 'text',
    conversation_id: 'id',
    user_id: 'id',
    session_id: 'id',
    rev: 'number',
    created_at: 'number',
  },
  meta: { key: 'text', value: 'text' },
  job_cursors: {
    conversation_id: 'id',
    consumer: 'text',
    seq: 'number',
    rev: 'number',
    attempts: 'number',
    owner: 'text',
    next_at: 'number',
    again: 'number',
    waiting_since: 'number',
  },
  parked_jobs: {
    id: 'id',
    consumer: 'text',
    conversation_id: 'id',
    seq: 'number',
    attempts: 'number',
    reason: 'text',
    parked_at: 'number',
    next_at: 'number',
    rev: 'number',
    kind: 'text',
    message_seq: 'number',
    actor_id: 'id',
    user_ids: 'text',
    emoji: 'text',
    event_at: 'number',
  },
  jobs: {
    id: 'id',
    kind: 'text',
    payload: 'text',
    priority: 'number',
    dedupe_key: 'text',
    attempts: 'number',
    due_at: 'number',
    owner: 'text',
    lease_until: 'number',
    again_at: 'number',
    parked_at: 'number',
    reason: 'text',
    created_at: 'number',
  },
  duties: { name: 'text', owner: 'text', lease_until: 'number', last_run_at: 'number', next_at: 'number' },
};

/** The kinds by name alone: a query and its rows name columns without their tables. */
export const COLUMN_KINDS: ColumnKinds = kindsByName(COLUMNS);

/**
 * Fails where a name has two kinds. A number may share its name with another kind, as the outbox's `id` does: what is a
 * number is seen from the value itself.
 */
export function kindsByName(tables: Record<string, ColumnKinds>): ColumnKinds {
  const kinds: Record<string, ColumnKind> = {};
  for (const [table, columns] of Object.entries(tables)) {
    for (const [name, kind] of Object.entries(columns)) {
      const known = kinds[name];
      if (known === undefined || known === 'number') kinds[name] = kind;
      else if (kind !== 'number' && kind !== known) {
        throw new Error(`column ${table}.${name} is ${kind}, and ${known} in another table: give it another name`);
      }
    }
  }
  return kinds;
}
