import type { ServerInfo } from '../sdk.ts';
import { parley } from './parley.ts';

/** Whose server this is, and what it asks of accounts. */
class Installation {
  /** As the server says it; undefined until it has, and where it cannot be asked. */
  info = $state.raw<ServerInfo | undefined>();
  #asked: Promise<void> | undefined;

  /** What it is called: by its own account, or else by its address. */
  get name(): string {
    return this.info?.name ?? location.host;
  }

  /** The part of the name that no password may be made of; empty where the server knows none. */
  get host(): string {
    return this.info?.name === undefined ? '' : new URL(`https://${this.info.name}`).hostname;
  }

  get refusesWeakPasswords(): boolean {
    return this.info?.password.strength === 'refuse';
  }

  /** Asks, once; where that fails, again when somebody next wants to know. */
  ask(): Promise<void> {
    this.#asked ??= parley.api.serverInfo().then(
      (info) => {
        this.info = info;
      },
      () => {
        // Nothing here stands on it alone: what the server refuses it says then, too.
        this.#asked = undefined;
      },
    );
    return this.#asked;
  }
}

export const installation = new Installation();
