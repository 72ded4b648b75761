import { destinationIn } from '../lib/return-to.ts';

/** Where somebody wanted to go is kept here, and until when. */
const KEY = 'parley.return-to';

/**
 * Where somebody wanted to go who has to read a letter first. Its link opens in another tab, which knows nothing of the one in
 * which they asked for it.
 */
export const returnTo = {
  /** Keeps it for so many milliseconds, in the place of what was kept before. */
  keep(path: string | undefined, forMs: number): void {
    try {
      if (path === undefined) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, JSON.stringify({ path, until: Date.now() + forMs }));
    } catch {
      // Without storage they begin with the list, and find the conversation there.
    }
  },

  /** What was kept, once. */
  take(): string | undefined {
    try {
      const { path, until } = JSON.parse(localStorage.getItem(KEY) ?? '{}');
      localStorage.removeItem(KEY);
      return until > Date.now() ? destinationIn(path) : undefined;
    } catch {
      return undefined; // nothing that this client wrote
    }
  },
};
