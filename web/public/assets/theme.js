// Runs before the page is painted; web/src/state/theme.svelte.ts changes it later.
try {
  const theme = localStorage.getItem('parley.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's own theme holds.
}
