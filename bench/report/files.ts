import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chart } from './chart.ts';
import { reportMarkdown } from './markdown.ts';
import { isMet, type Results } from './results.ts';

const FOLDER = 'docs/benchmarks';

/** Writes the report for people, programs and eyes; returns the paths. */
export function writeReports(results: Results): string[] {
  const rows = results.rows.map((row) => ({ ...row, met: isMet(row) }));
  const files = {
    'latest.json': `${JSON.stringify({ ...results, rows }, null, 2)}\n`,
    'latest.md': reportMarkdown(results),
    'latest.svg': chart(results),
  };
  const root = new URL('../../', import.meta.url).pathname;
  mkdirSync(join(root, FOLDER), { recursive: true });
  return Object.entries(files).map(([name, content]) => {
    writeFileSync(join(root, FOLDER, name), content);
    return `${FOLDER}/${name}`;
  });
}
