import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { headerOf } from '../../scripts/systems.ts';
import { temporaryFolder } from '../support/server.ts';

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, '../..');
/** A repository with the project in it, as somebody has it who makes a release. */
const repository = temporaryFolder();
const NEWS = '### Added\n\n- Something that users notice.';

/** Runs a command there, to its end. */
function run(...command: string[]) {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', ...AUTHOR };
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: repository, env, stdin: 'ignore' });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}
const AUTHOR = Object.fromEntries(
  ['AUTHOR', 'COMMITTER'].flatMap((who) => [
    [`GIT_${who}_NAME`, 'Somebody'],
    [`GIT_${who}_EMAIL`, 'somebody@example.com'],
  ]),
);
const release = (...args: string[]) => run(process.execPath, 'scripts/release.ts', ...args);
const read = (path: string) => readFileSync(join(repository, path), 'utf8');
const nextVersion = '77.0.1';

beforeAll(() => {
  const copied = ['server', 'protocol', 'scripts', 'sdk', 'web/dist', 'api', 'docs', 'configs', 'package.json'];
  for (const name of [
    ...copied,
    'package-lock.json',
    '.npmrc',
    '.gitignore',
    'tsconfig.json',
    'CHANGELOG.md',
    'LICENSE',
  ]) {
    const to = join(repository, name);
    mkdirSync(dirname(to), { recursive: true });
    expect(Bun.spawnSync(['cp', '-a', join(ROOT, name), to]).exitCode).toBe(0);
  }
  symlinkSync(join(ROOT, 'node_modules'), join(repository, 'node_modules'));
  const [head, rest] = read('CHANGELOG.md').split('## [Unreleased]\n');
  writeFileSync(join(repository, 'CHANGELOG.md'), `${head}## [Unreleased]\n\n${NEWS}\n\n## Earlier\n${rest}`);
  writeFileSync(join(repository, '.gitignore'), 'node_modules\ndist/\n');
  for (const command of [
    ['init', '-q'],
    ['add', '-A'],
    ['commit', '-qm', 'All of it'],
  ]) {
    expect(run('git', ...command)).toMatchObject({ code: 0, stderr: '' });
  }
});

test('a release is refused for no version, an earlier one, and for what is not committed, and writes nothing', () => {
  for (const version of ['', 'v2', '1.2', '0.0.1', '1.2.3; rm -rf .']) {
    const { code, stderr } = release('version', version);
    expect([version, code]).toEqual([version, 1]);
    expect(stderr.split('\n').length).toBe(2);
  }
  expect(run('git', 'status', '--porcelain').stdout).toBe('');
  writeFileSync(join(repository, 'LICENSE'), 'changed');
  expect(release('version', nextVersion)).toMatchObject({
    code: 1,
    stderr: 'Something is not committed: git status\n',
  });
  run('git', 'checkout', 'LICENSE');
});

test('a release is a version everywhere, a heading in the changelog, a commit and a tag with its news', () => {
  expect(release('version', nextVersion)).toMatchObject({ code: 0, stderr: '' });
  for (const path of ['package.json', 'sdk/package.json', 'package-lock.json']) {
    expect([path, JSON.parse(read(path)).version]).toEqual([path, nextVersion]);
  }
  expect(JSON.parse(read('api/openapi.json')).info.version).toBe(nextVersion);
  const today = new Date().toISOString().slice(0, 10);
  expect(read('CHANGELOG.md')).toContain(`## [Unreleased]\n\n## [${nextVersion}] – ${today}\n\n${NEWS}\n`);
  expect(run('git', 'status', '--porcelain').stdout).toBe('');
  expect(run('git', 'log', '-1', '--format=%s').stdout).toBe(`Release ${nextVersion}\n`);
  expect(run('git', 'for-each-ref', '--format=%(contents)', `refs/tags/v${nextVersion}`).stdout).toContain(
    NEWS.split('\n')[2]!,
  );
  expect(release('version', nextVersion)).toMatchObject({
    code: 1,
    stderr: `There is a tag v${nextVersion} already\n`,
  });
});

test('its files are an executable that runs, the SDK with its licence, what is in them, and checksums of all', () => {
  expect(release('files', 'linux-x64')).toMatchObject({ code: 0, stderr: '' });
  const folder = join(repository, 'dist/release');
  const files = readdirSync(folder).sort();
  expect(files).toEqual(
    [
      'NOTES.md',
      'SHA256SUMS',
      'THIRD-PARTY-NOTICES',
      'parley-linux-x64',
      `parley-sdk-${nextVersion}.tgz`,
      'parley.cdx.json',
    ].sort(),
  );
  expect(read('dist/release/NOTES.md')).toBe(`${NEWS}\n`);
  const sums = Bun.spawnSync(['sha256sum', '--check', '--strict', 'SHA256SUMS'], { cwd: folder });
  expect(sums.exitCode).toBe(0);
  expect(sums.stdout.toString().match(/: OK$/gm)).toHaveLength(files.length - 1);
  const executable = join(folder, 'parley-linux-x64');
  expect(headerOf(readFileSync(executable).subarray(0, 64))).toBe('ELF x64');
  const printed = (...args: string[]) =>
    Bun.spawnSync([executable, ...args], { cwd: temporaryFolder(), env: {} }).stdout.toString();
  expect(printed('version')).toBe(`${nextVersion}\n`);
  expect(printed('licences')).toBe(read('dist/release/THIRD-PARTY-NOTICES'));
  const packed = Bun.spawnSync(['tar', '-tzf', join(folder, `parley-sdk-${nextVersion}.tgz`)]).stdout.toString();
  expect(packed.split('\n')).toContain('package/LICENSE');
  const { components } = JSON.parse(read('dist/release/parley.cdx.json'));
  expect(components.map(({ name }: { name: string }) => name)).toContain('hono');
});

test('what others ask to be said names every package that users get, and Bun’s parts', () => {
  const notices = read('dist/release/THIRD-PARTY-NOTICES');
  for (const name of Object.keys(JSON.parse(read('package.json')).dependencies)) {
    expect(notices).toContain(`\n\n${name} `);
  }
  expect(notices).toContain('JavaScriptCore and parts of WebKit: LGPL 2');
});

test('an older Node is told in one line which one is needed', () => {
  const require = (version: string) => run('node', 'scripts/require-node.cjs', version);
  for (const version of ['18.19.0', '20.11.1', '21.7.3', '22.11.0']) {
    const { code, stderr } = require(version);
    expect([version, code]).toEqual([version, 1]);
    expect(stderr).toMatch(/^Parley needs Node .*, and this is [\d.]+: get a newer one from https:\/\/nodejs\.org\n$/);
  }
  for (const version of ['20.19.0', '20.20.2', '22.12.0', '24.1.0']) expect(require(version).code).toBe(0);
});
