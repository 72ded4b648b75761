/**
 * What the licences of others ask to be said to whoever gets the executable. Beside the sources each package says it itself. The
 * build of the executable puts the text in the place of this module: scripts/embed-notices.ts.
 */
export function notices(): string {
  return 'This is no executable: the licence of each package is in its folder of node_modules.\n';
}
