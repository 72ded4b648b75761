import type { SessionInfo } from '../sdk.ts';
import { parley } from './parley.ts';
import { reauthentication } from './reauthentication.svelte.ts';

/** Where somebody is signed in. */
class Devices {
  /** This one first, then the one used last; undefined until the server has said it. */
  sessions = $state.raw<SessionInfo[] | undefined>();

  async load(): Promise<void> {
    const sessions = await parley.account.sessions();
    this.sessions = [...sessions].sort((one, other) => Number(other.is_current) - Number(one.is_current));
  }

  /** Signs one out; one that is gone by now is no failure, as that is what was wanted. */
  async end(id: string): Promise<void> {
    await reauthentication.guard(() => parley.account.endSession(id)).catch(ignoreGone);
    await this.load();
  }

  /** Signs all others out; resolves to how many there were. */
  async endOthers(): Promise<number> {
    const ended = await reauthentication.guard(() => parley.account.endOtherSessions());
    await this.load();
    return ended;
  }

  watch(): void {
    parley.on('signed_out', () => {
      this.sessions = undefined;
    });
  }
}

function ignoreGone(error: unknown): void {
  if ((error as { code?: string }).code !== 'not_found') throw error;
}

export const devices = new Devices();
