import { createClient } from '../sdk.ts';

/** The one connection of this tab. The browser keeps the tokens, in cookies that no script can read. */
export const parley = createClient({ auth: 'cookie' });
