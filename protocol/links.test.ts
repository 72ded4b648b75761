import { expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = join(import.meta.dir, '..');
const FOLDERS = ['docs', 'sdk', 'web', 'tests', 'terminal', '.github'];

const documents = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !/node_modules|dist/.test(name))
      .map((name) => join(folder, name)),
  ),
];

/** The links of a document to other files of the project, and to its own headings. Code is none. */
function linksOf(text: string): string[] {
  const prose = text.replaceAll(/```[\s\S]*?```/g, '').replaceAll(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  return targets.filter((target) => !/^[a-z]+:/i.test(target));
}

/** The anchors of a document's headings, as forges make them. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('there are documents, with links', () => {
  expect(documents).toContain('README.md');
  expect(documents).toContain('docs/README.md');
  expect(documents.flatMap((name) => linksOf(readFileSync(join(ROOT, name), 'utf8'))).length).toBeGreaterThan(100);
});

test.each(documents)('every link of %s leads somewhere', (name) => {
  const path = join(ROOT, name);
  const broken = linksOf(readFileSync(path, 'utf8')).filter((target) => {
    const [file, anchor] = target.split('#') as [string, string?];
    const found = file === '' ? path : resolve(dirname(path), file);
    if (relative(ROOT, found).startsWith('..') || !existsSync(found)) return true;
    if (anchor === undefined || statSync(found).isDirectory() || !found.endsWith('.md')) return false;
    return !anchorsOf(readFileSync(found, 'utf8')).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test('every document of the project is led to from README or the index', () => {
  const led = ['README.md', 'docs/README.md', 'docs/decisions/README.md'].flatMap((name) =>
    linksOf(readFileSync(join(ROOT, name), 'utf8')).map((target) =>
      relative(ROOT, resolve(dirname(join(ROOT, name)), target.split('#')[0]!)),
    ),
  );
  const docs = documents.filter((name) => name.startsWith('docs/') && !name.startsWith('docs/benchmarks/'));
  expect(docs.filter((name) => name !== 'docs/README.md' && !led.includes(name))).toEqual([]);
  expect(led).toContain('docs/README.md');
});
