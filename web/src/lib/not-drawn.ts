/** For a boundary around what somebody wrote: says that it could not be drawn, and nothing of what it is. */
export function notDrawn(error: unknown): void {
  console.error('Not drawn:', error instanceof Error ? error.name : typeof error);
}
