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
}

export const dialogs = new Dialogs();
