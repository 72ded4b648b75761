export type Theme = 'system' | 'light' | 'dark';

const KEY = 'parley.theme';

/** Light, dark, or as the system has it. `public/assets/theme.js` applies the choice before the first paint. */
class ThemeChoice {
  current = $state<Theme>((document.documentElement.dataset.theme as Theme | undefined) ?? 'system');

  choose(theme: Theme): void {
    this.current = theme;
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Without storage it holds until the tab is closed.
    }
  }
}

export const theme = new ThemeChoice();
