import type { BackoffOptions } from './backoff.ts';
import type { Fetch } from './http.ts';
import type { Locks } from './locks.ts';
import type { AuthMode } from './session.ts';
import type { Storage } from './storage/storage.ts';

/** What a client is made with; everything may be left out. */
export interface ClientOptions {
  /** Where the server is, such as `https://chat.example.com`; left out: the page's own server. */
  baseUrl?: string;
  /** Whether the SDK keeps the tokens (default), or the browser does, in cookies that no script can read. */
  auth?: AuthMode;
  /** Where things are kept: IndexedDB where there is one, else memory. */
  storage?: Storage;
  /** For run times without one of their own, such as Node 20: that of the package `ws`. */
  WebSocket?: unknown;
  fetch?: Fetch;
  /** What tabs agree by: `navigator.locks` where there is one. */
  locks?: Locks;
  /** How long a request may take, in milliseconds; 15,000 when left out. */
  timeoutMs?: number;
  /** How long to wait before trying again. */
  backoff?: BackoffOptions;
}
