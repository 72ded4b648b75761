import { existsSync, readFileSync } from 'node:fs';

/** For development only by npm's reckoning, and yet in every browser. */
const IN_THE_WEB_CLIENT = ['svelte', 'marked', 'dompurify'];

/** A package that users get. */
export interface Package {
  name: string;
  version: string;
  /** An expression of SPDX, where it says one. */
  license?: string;
  /** Where it is installed, from the project's folder. */
  folder: string;
}

interface Manifest {
  version: string;
  license?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/** Every package that a user gets: those that the server runs on, and those that are built into the web client. */
export function packagesOfUsers(): Package[] {
  const found = new Map<string, Package>();
  const visit = (name: string, from: string): void => {
    const folder = find(name, from);
    if (!folder || found.has(folder)) return; // optional ones of other systems are not installed
    const { version, license, dependencies, optionalDependencies } = read(`${folder}/package.json`);
    found.set(folder, { name, version, license, folder });
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next, folder);
  };
  for (const name of [...Object.keys(read('package.json').dependencies ?? {}), ...IN_THE_WEB_CLIENT]) visit(name, '');
  return [...found.values()];
}

/** A package as `from` finds it: beside itself, or in a folder above. */
function find(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = folder.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, '')) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (existsSync(`${path}/package.json`)) return path;
    if (folder === '') return undefined;
  }
}

function read(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8'));
}
