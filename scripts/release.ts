/**
 * Makes a release, in two steps that `make release VERSION=1.2.3` and `make release-files` run:
 *
 *   bun scripts/release.ts version 1.2.3      the changelog, the version, a commit and its tag
 *   bun scripts/release.ts files [system …]   what users download, in dist/release
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CryptoHasher, semver, spawnSync } from 'bun';
import { thirdPartyNotices } from './notices.ts';
import { headerOf, SYSTEMS, type System } from './systems.ts';

const FOLDER = 'dist/release';
const RUNTIMES = 'dist/runtimes';

class Refused extends Error {}

const [command, ...rest] = process.argv.slice(2);
try {
  if (command === 'version') makeVersion(rest[0] ?? '');
  else if (command === 'files') makeFiles(rest.length > 0 ? rest : Object.keys(SYSTEMS));
  else throw new Refused('scripts/release.ts version <x.y.z>, or scripts/release.ts files [system …]');
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

/** Everything is checked before anything is written. */
function makeVersion(version: string): void {
  const { version: current } = manifest('package.json');
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Refused('make release VERSION=1.2.3: a version has three numbers');
  const tags = run('git', 'tag', '--list', `v${version}`);
  if (tags !== '') throw new Refused(`There is a tag v${version} already`);
  if (semver.order(version, current) < 0) throw new Refused(`${version} is before ${current}, which is the last`);
  if (run('git', 'status', '--porcelain') !== '') throw new Refused('Something is not committed: git status');
  const changelog = readFileSync('CHANGELOG.md', 'utf8');
  const news = section(changelog, 'Unreleased');
  if (news === '') throw new Refused('CHANGELOG.md says nothing under [Unreleased]');

  const today = new Date().toISOString().slice(0, 10);
  // The first version stood there by its number while it was not released.
  const rest = changelog.replace(
    new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] .*$`, 'm'),
    '## Before the first release',
  );
  writeFileSync('CHANGELOG.md', rest.replace('## [Unreleased]\n', `## [Unreleased]\n\n## [${version}] – ${today}\n`));
  for (const path of ['package.json', 'sdk/package.json']) setVersion(path, current, version);
  run('npm', 'install', '--package-lock-only', '--ignore-scripts');
  run(process.execPath, 'scripts/api.ts');
  run('git', 'commit', '--all', '--quiet', '--message', `Release ${version}`);
  run('git', 'tag', '--annotate', `v${version}`, '--message', `Parley ${version}\n\n${news}`);
  process.stdout.write(`Committed and tagged v${version}. Next: git push --follow-tags\n`);
}

/** What users download: an executable for each system, the SDK, what is in them, and checksums of all. */
function makeFiles(names: string[]): void {
  const unknown = names.filter((name) => !(name in SYSTEMS));
  if (unknown.length > 0)
    throw new Refused(`No such system: ${unknown.join(', ')}; there are ${Object.keys(SYSTEMS).join(', ')}`);
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  for (const name of names) makeExecutable(name, SYSTEMS[name as keyof typeof SYSTEMS]);
  run(process.execPath, 'sdk/build.ts');
  run('npm', 'pack', './sdk', '--pack-destination', FOLDER, '--ignore-scripts');
  writeFileSync(join(FOLDER, 'parley.cdx.json'), run('npm', 'sbom', '--sbom-format=cyclonedx', '--package-lock-only'));
  writeFileSync(join(FOLDER, 'THIRD-PARTY-NOTICES'), thirdPartyNotices());
  const { version } = manifest('package.json');
  const changelog = readFileSync('CHANGELOG.md', 'utf8');
  writeFileSync(join(FOLDER, 'NOTES.md'), `${section(changelog, version) || section(changelog, 'Unreleased')}\n`);
  const files = readdirSync(FOLDER).sort();
  writeFileSync(
    join(FOLDER, 'SHA256SUMS'),
    files.map((file) => `${digest('sha256', join(FOLDER, file))}  ${file}\n`).join(''),
  );
  process.stdout.write(`${[...files, 'SHA256SUMS'].map((file) => `${FOLDER}/${file}\n`).join('')}`);
}

function makeExecutable(name: string, system: System): void {
  const outfile = join(FOLDER, `parley-${name}`);
  run(process.execPath, 'scripts/build.ts', outfile, '--target', system.target, '--runtime', runtimeFor(system));
  const header = headerOf(readFileSync(outfile).subarray(0, 64));
  if (header !== system.header) throw new Refused(`${outfile} is for ${header}, and not for ${system.header}`);
}

/** The Bun of a system, as package-lock.json pins it: the installed one, or one that is fetched and checked. */
function runtimeFor({ package: name }: System): string {
  const { version, integrity } = manifest('package-lock.json').packages[`node_modules/${name}`]!;
  const installed = join('node_modules', name, 'bin/bun');
  if (existsSync(installed)) return installed;
  const folder = join(RUNTIMES, `${name.split('/')[1]}-${version}`);
  const runtime = join(folder, 'package/bin/bun');
  if (existsSync(runtime)) return runtime;
  mkdirSync(folder, { recursive: true });
  const [packed] = JSON.parse(run('npm', 'pack', `${name}@${version}`, '--pack-destination', folder, '--json'));
  const archive = join(folder, packed.filename);
  if (`sha512-${digest('sha512', archive, 'base64')}` !== integrity)
    throw new Refused(`${archive} is not what package-lock.json pins`);
  run('tar', '-xzf', archive, '-C', folder);
  renameSync(archive, `${folder}.tgz`);
  return runtime;
}

/** What stands under a heading of the changelog. */
function section(changelog: string, name: string): string {
  const [, body = ''] = changelog.split(new RegExp(`^## \\[${name.replaceAll('.', '\\.')}\\].*$`, 'm'));
  return body.split(/^## /m)[0]!.trim();
}

function setVersion(path: string, from: string, to: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').replace(`"version": "${from}"`, `"version": "${to}"`));
}

function manifest(path: string): { version: string; packages: Record<string, { version: string; integrity: string }> } {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function digest(algorithm: 'sha256' | 'sha512', path: string, encoding: 'hex' | 'base64' = 'hex'): string {
  const hasher: CryptoHasher = new Bun.CryptoHasher(algorithm);
  return hasher.update(readFileSync(path)).digest(encoding);
}

function run(...command: string[]): string {
  const { exitCode, stdout, stderr } = spawnSync(command, { stdin: 'ignore' });
  if (exitCode !== 0) throw new Refused(`${command.join(' ')}\n${stderr}${stdout}`);
  return stdout.toString().trim();
}
