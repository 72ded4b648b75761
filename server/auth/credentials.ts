import { MAX_CREDENTIALS_BYTES } from '../../protocol/limits.ts';

/** What calls have in common that name a password, a code or a token, or answer with tokens. */
export const credentials = { tag: 'Authentication', maxBodyBytes: MAX_CREDENTIALS_BYTES, secret: true };
