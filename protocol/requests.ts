import { z } from 'zod';
import { MFA_METHODS } from './errors.ts';
import { ClientId, SendableType } from './events.ts';
import {
  DISPLAY_NAME_LENGTH,
  GROUP_NAME_LENGTH,
  MAX_CURSOR_LENGTH,
  MAX_PARTICIPANTS_AT_ONCE,
  MAX_SYNC_CONVERSATIONS,
  PAGE_SIZES,
  PASSWORD_LENGTH,
  STATUS_LENGTH,
  USERNAME_LENGTH,
} from './limits.ts';
import { cleanGroupName, cleanName, faultOfDisplayName, faultOfGroupName } from './names.ts';
import { ParticipantRole } from './resources.ts';
import { Counter, content, eachRequires, Id, text } from './schemas.ts';
import { characterCount, isStorableText, normalPassword } from './text.ts';

/** The bodies that clients send over REST. Unknown fields are ignored: that is also what stops mass assignment. */

export const Email = z
  .string({ error: 'Email must be a string' })
  .trim()
  .toLowerCase()
  .max(254)
  .pipe(z.email({ error: 'Email must be a valid address' }))
  .meta({ example: 'alice@example.com' });

/** A password in UTF-16 units as it comes, at most: enough for the longest one however it is written. */
const MAX_TYPED_PASSWORD = 1024;

/**
 * A password that is being chosen. Counted in characters of its normal form, so that it is as long on every keyboard, and never
 * trimmed (NIST SP 800-63B §5.1.1.2; ASVS 6.2.1, 6.2.9).
 */
export const NewPassword = z
  .string({ error: 'Password must be a string' })
  .max(MAX_TYPED_PASSWORD, { error: `Password must be at most ${PASSWORD_LENGTH.max} characters`, abort: true })
  // Ill-formed text has no UTF-8 of its own: hashed, one lone surrogate would be as good as any other.
  .refine(isStorableText, { error: 'Password must be well-formed Unicode without NUL', abort: true })
  .refine((value) => characterCount(normalPassword(value)) >= PASSWORD_LENGTH.min, {
    error: `Password must be at least ${PASSWORD_LENGTH.min} characters`,
  })
  .refine((value) => characterCount(normalPassword(value)) <= PASSWORD_LENGTH.max, {
    error: `Password must be at most ${PASSWORD_LENGTH.max} characters`,
  })
  .meta({ minLength: PASSWORD_LENGTH.min, maxLength: PASSWORD_LENGTH.max });

/** A password that is being checked: any string up to a size that is safe to hash. */
export const GivenPassword = z.string({ error: 'Password must be a string' }).max(MAX_TYPED_PASSWORD);

const LOOKS_LIKE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const Username = z
  .string({ error: 'Username must be a string' })
  .min(USERNAME_LENGTH.min, { error: `Username must be at least ${USERNAME_LENGTH.min} characters` })
  .max(USERNAME_LENGTH.max, { error: `Username must be at most ${USERNAME_LENGTH.max} characters` })
  .regex(/^[A-Za-z0-9_.-]+$/, { error: 'Username may hold only letters, digits, "_", "." and "-"' })
  .refine((value) => !LOOKS_LIKE_ID.test(value), { error: 'Username must not look like an id' });

export const DisplayName = name('Display name', DISPLAY_NAME_LENGTH, cleanName, faultOfDisplayName);
export const GroupName = name('Name', GROUP_NAME_LENGTH, cleanGroupName, faultOfGroupName);

/** A name that is shown: as `clean` keeps it, unless `faultOf` finds that it may not be. */
function name(
  label: string,
  { min, max }: { min: number; max: number },
  clean: (name: string) => string,
  faultOf: (name: string) => string | undefined,
) {
  return z
    .string({ error: `${label} must be a string` })
    .max(max * 2, { error: `${label} must be at most ${max} characters`, abort: true })
    .refine(isStorableText, { error: `${label} must be well-formed Unicode without NUL`, abort: true })
    .overwrite(clean)
    .refine((value) => characterCount(value.trim()) <= max, { error: `${label} must be at most ${max} characters` })
    .superRefine((value, context) => {
      const fault = faultOf(value);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: `${label} ${fault}` });
    })
    .meta({ minLength: min, maxLength: max });
}

/** The token that this device was given when it last signed in. One that does not hold is as good as none. */
const deviceToken = z.string().max(4096).optional().meta({
  description:
    '`device_token` of the last log-in from this device; empty where there is none yet, to be given one. Browsers have it as a cookie',
});

export const RegisterBody = z
  .object({
    email: Email,
    password: NewPassword,
    username: Username.optional().meta({ description: 'Made from the e-mail address when left out' }),
    phone_number: z.string().max(32).optional().meta({ description: 'E.164', example: '+14155552671' }),
    display_name: DisplayName.optional(),
    device_token: deviceToken,
  })
  .meta({ id: 'RegisterBody' });

export const LoginBody = z
  .object({
    email: z.string().max(254).optional(),
    username: z.string().max(254).optional(),
    phone_number: z.string().max(32).optional(),
    password: GivenPassword,
    device_token: deviceToken,
  })
  .refine((body) => body.email !== undefined || body.username !== undefined || body.phone_number !== undefined, {
    error: 'Give an email, a username or a phone_number',
    path: ['email'],
  })
  .meta({ id: 'LoginBody', anyOf: eachRequires('email', 'username', 'phone_number') });

export const RefreshBody = z.object({ refresh_token: z.string().max(4096).optional() }).meta({ id: 'RefreshBody' });

export const PasswordBody = z
  .object({ current_password: GivenPassword, new_password: NewPassword })
  .meta({ id: 'PasswordBody' });

export const UpdateUserBody = z
  .object({
    display_name: DisplayName.optional(),
    status: text('Status', STATUS_LENGTH.min, STATUS_LENGTH.max).optional(),
    username: Username.optional(),
    phone_number: z.string().max(32).optional().meta({
      description: 'E.164; empty takes it away',
      example: '+14155552671',
    }),
  })
  .meta({ id: 'UpdateUserBody' });

/** Six digits as people type them: spaces do no harm. */
const SixDigits = z
  .string({ error: 'Code must be a string' })
  .max(20, { error: 'Code must be six digits', abort: true })
  .transform((code) => code.replaceAll(/\s/g, ''))
  .pipe(z.string().regex(/^\d{6}$/, { error: 'Code must be six digits' }))
  .meta({ example: '123456' });

/** The secret of a link in a letter. */
const LinkToken = z.string({ error: 'Token must be a string' }).max(200);

export const ReauthenticateBody = z
  .object({
    password: GivenPassword.optional(),
    code: SixDigits.optional().meta({ description: 'Of the authenticator app, instead of the password' }),
  })
  .refine(({ password, code }) => password !== undefined || code !== undefined, {
    error: 'password or code is needed',
  })
  .meta({ anyOf: eachRequires('password', 'code') });

export const MfaBody = z.object({
  ticket: z.string({ error: 'Ticket must be a string' }).max(200).meta({ description: 'Of `mfa_required`' }),
  method: z.enum(MFA_METHODS),
  code: z.string({ error: 'Code must be a string' }).max(64).meta({ example: '123456' }),
  device_token: z.string().max(2000).optional(),
});

export const ForgotPasswordBody = z.object({ email: Email });
export const ResetPasswordBody = z.object({
  token: LinkToken,
  new_password: NewPassword,
  device_token: z.string().max(2000).optional(),
});

export const VerifyEmailBody = z
  .object({
    token: LinkToken.optional().meta({ description: 'Of the link; nobody needs to be signed in' }),
    code: SixDigits.optional().meta({ description: 'Of the letter; whoever types it is signed in to the account' }),
  })
  .refine(({ token, code }) => token !== undefined || code !== undefined, { error: 'token or code is needed' })
  .meta({ anyOf: eachRequires('token', 'code') });

export const ChangeEmailBody = z.object({ new_email: Email });
export const ConfirmTotpBody = z.object({ code: SixDigits });

export const DeleteUserBody = z.object({ password: GivenPassword }).meta({ id: 'DeleteUserBody' });

const userIds = z.array(Id).max(MAX_PARTICIPANTS_AT_ONCE, {
  error: `at most ${MAX_PARTICIPANTS_AT_ONCE} people at once`,
});

/** A direct conversation names one person, a group has a name. */
export const CreateConversationBody = z
  .object({
    participant_id: Id.optional(),
    participant_email: Email.optional(),
    name: GroupName.optional(),
    participant_ids: userIds.optional(),
    participant_emails: z.array(Email).max(MAX_PARTICIPANTS_AT_ONCE).optional(),
  })
  .refine((body) => kindsGiven(body) === 1, {
    error: 'Give a participant_id or a participant_email for a direct conversation, or a name for a group',
    path: ['participant_id'],
  })
  .meta({ id: 'CreateConversationBody', oneOf: eachRequires('participant_id', 'participant_email', 'name') });

function kindsGiven(body: { participant_id?: unknown; participant_email?: unknown; name?: unknown }): number {
  return [body.participant_id, body.participant_email, body.name].filter((value) => value !== undefined).length;
}

export const UpdateConversationBody = z.object({ name: GroupName.optional() }).meta({ id: 'UpdateConversationBody' });

export const AddParticipantsBody = z
  .object({ user_ids: userIds.min(1, { error: 'name at least one person' }) })
  .meta({ id: 'AddParticipantsBody' });

export const UpdateParticipantBody = z
  .object({ participant_role: ParticipantRole })
  .meta({ id: 'UpdateParticipantBody' });

export const SendMessageBody = z
  .object({
    content,
    client_id: ClientId.optional(),
    type: SendableType.optional(),
    reply_to: Id.optional().meta({ description: 'A message of the same conversation' }),
  })
  .meta({ id: 'SendMessageBody' });

export const EditMessageBody = z
  .object({
    content,
    if_rev: Counter.optional().meta({ description: 'Edit only what still stands at this `rev`' }),
  })
  .meta({ id: 'EditMessageBody' });

export const ReadBody = z.object({ seq: Counter }).meta({ id: 'ReadBody' });

/** An opaque place in a list, as `next_cursor` of the page before gave it. */
export const Cursor = z
  .string()
  // Said here, checked where it is read: an empty one is none that a page ended with.
  .meta({ minLength: 1 })
  .max(MAX_CURSOR_LENGTH)
  .optional()
  .meta({ description: '`next_cursor` of the page before' });

/** What a client holds of its conversations, so that it is told what changed since. */
export const SyncBody = z
  .object({
    conversations: z
      .array(
        z.object({
          id: Id,
          rev: Counter,
          marks_rev: Counter.optional().meta({ description: 'Asks for the marks that moved since, too' }),
        }),
      )
      .max(MAX_SYNC_CONVERSATIONS, { error: `at most ${MAX_SYNC_CONVERSATIONS} conversations` }),
    limit: z.int().min(1).max(PAGE_SIZES.sync.max).default(PAGE_SIZES.sync.fallback),
    cursor: Cursor,
  })
  .meta({ id: 'SyncBody' });

/** A counter in a query that must be there: a wrong one is an error. */
export function counterQuery(name: string) {
  return (
    z.coerce
      .number({ error: `${name} must be a number` })
      .int({ error: `${name} must be a whole number` })
      .nonnegative({ error: `${name} must not be negative` })
      // A schema that coerces takes anything: the document could not tell from it that the parameter must be there.
      .meta({ type: 'integer', minimum: 0, param: { required: true } })
  );
}

/** `?limit=` of a list: a wrong one is an error, not silently another number. */
export function pageLimit({ fallback, max }: { fallback: number; max: number }) {
  return z.coerce
    .number({ error: 'limit must be a number' })
    .int({ error: 'limit must be a whole number' })
    .min(1, { error: 'limit must be at least 1' })
    .max(max, { error: `limit must be at most ${max}` })
    .default(fallback)
    .meta({ type: 'integer', minimum: 1, maximum: max, default: fallback });
}
