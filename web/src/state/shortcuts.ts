import { conversations } from './conversations.svelte.ts';
import { dialogs } from './dialogs.svelte.ts';

/** Keys that work everywhere, as the help sheet lists them. */
export function shortcut(event: KeyboardEvent): void {
  if (document.querySelector('dialog[open]')) return;
  const run = find(event);
  if (!run) return;
  event.preventDefault();
  run();
}

function find(event: KeyboardEvent): (() => void) | undefined {
  const { key, code, altKey } = event;
  if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === 'k') return focusFilter;
  if (altKey && code === 'KeyN') return () => dialogs.show('compose');
  if (altKey && key === 'ArrowUp') return () => conversations.step(-1);
  if (altKey && key === 'ArrowDown') return () => conversations.step(1);
  if (key === 'Escape' && dialogs.details) {
    return () => {
      dialogs.details = false;
    };
  }
  if (isTyping(event)) return undefined;
  if (key === 'Escape') return () => document.getElementById('composer')?.focus();
  if (key === '?') return () => dialogs.show('help');
  return undefined;
}

function focusFilter(): void {
  const filter = document.getElementById('filter') as HTMLInputElement | null;
  filter?.focus();
  filter?.select();
}

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLElement && (target.matches('input, textarea, select') || target.isContentEditable);
}
