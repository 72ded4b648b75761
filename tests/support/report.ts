/** Prints a test's figures, so that a run tells what it has shown. */
export function report(title: string, figures: Record<string, number | string>): void {
  const width = Math.max(...Object.keys(figures).map((name) => name.length));
  const lines = Object.entries(figures).map(([name, value]) => `    ${name.padEnd(width)}  ${value}`);
  process.stdout.write(`\n  ${title}\n${lines.join('\n')}\n\n`);
}
