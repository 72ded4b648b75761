import { ParleyError } from '../sdk.ts';
import { parley } from './parley.ts';
import { returnTo } from './return-to.ts';

/** How long a link for a new password is good, in milliseconds: after that nobody comes back by it. */
const RESET_MS = 3_600_000;

/** Links of letters, and asking for one. */
export const links = {
  /**
   * A letter with a link goes to the address, if an account has it: nobody is told whether one has. Its link opens in another
   * tab, which is to lead on to `destination`. `unavailable` where no mail is sent.
   */
  async forgot(email: string, destination: string | undefined): Promise<'asked' | 'unavailable'> {
    try {
      await parley.api.forgotPassword({ email });
    } catch (error) {
      if (ParleyError.from(error).code === 'mail_unavailable') return 'unavailable';
      throw error;
    }
    returnTo.keep(destination, RESET_MS);
    return 'asked';
  },
};
