import { parley } from './parley.ts';

/** What is laid over the client: one sheet at a time. */
export type Sheet = 'compose' | 'profile' | 'help';

class Dialogs {
  open = $state<Sheet | undefined>();
  /** Whether the panel with a conversation's people is shown. */
  details = $state(false);

  show(sheet: Sheet): void {
    this.open = sheet;
  }

  close(): void {
    this.open = undefined;
  }

  /** To be called once: nothing lies open for whoever signs in next. */
  watch(): void {
    parley.on('signed_out', () => {
      this.close();
      this.details = false;
    });
  }
}

export const dialogs = new Dialogs();
