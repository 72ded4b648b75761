/**
 * Checks the licence of every package that a user gets: those that the server runs on, and those that are built into the
 * web client. Ends with 1 where one is under a licence that is not on the list.
 */
import { existsSync, readFileSync } from 'node:fs';
import satisfies from 'spdx-satisfies';

/** The licences that CONTRIBUTING.md allows. */
const ALLOWED = ['MIT', 'MIT-0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Apache-2.0', 'MPL-2.0'];
/** For development only by npm's reckoning, and yet in every browser. */
const IN_THE_WEB_CLIENT = ['svelte', 'marked', 'dompurify'];

interface Manifest {
  name: string;
  version: string;
  license?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const root = read('package.json');
const wrong: string[] = [];
const seen = new Set<string>();
for (const name of [...Object.keys(root.dependencies ?? {}), ...IN_THE_WEB_CLIENT]) visit(name, '');
if (wrong.length > 0) {
  console.error(`Licences that are not among ${ALLOWED.join(', ')}:\n${wrong.map((line) => `  ${line}\n`).join('')}`);
  process.exit(1);
}
process.stdout.write(`licences: ${seen.size} packages that users get, all allowed\n`);

/** A package as `from` finds it: beside itself, or in a folder above. */
function visit(name: string, from: string): void {
  const folder = find(name, from);
  if (!folder || seen.has(folder)) return; // optional ones of other systems are not installed
  seen.add(folder);
  const { version, license, dependencies, optionalDependencies } = read(`${folder}/package.json`);
  if (!isAllowed(license)) wrong.push(`${name} ${version}: ${license ?? 'says none'}`);
  for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next, folder);
}

function find(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = folder.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (existsSync(`${path}/package.json`)) return path;
    if (folder === '') return undefined;
  }
}

function isAllowed(license: string | undefined): boolean {
  try {
    return license !== undefined && satisfies(license, ALLOWED);
  } catch {
    return false; // no expression of SPDX
  }
}

function read(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8'));
}
