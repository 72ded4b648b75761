import { readdirSync, readFileSync } from 'node:fs';
import { type Package, packagesOfUsers } from './packages.ts';

const IS_NOTICE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
const RULE = `\n${'-'.repeat(80)}\n\n`;

/** What the licences ask to be said to whoever gets the executable: Bun's parts, and each package with the text of its licence. */
export function thirdPartyNotices(): string {
  const packages = packagesOfUsers().sort((a, b) => (a.folder < b.folder ? -1 : 1));
  const bun = readFileSync(new URL('./bun-notice.md', import.meta.url), 'utf8');
  return [`Parley contains the work of others, under these licences.\n\n${bun}`, ...packages.map(notice)].join(RULE);
}

function notice({ name, version, license, folder }: Package): string {
  const texts = readdirSync(folder)
    .filter((file) => IS_NOTICE.test(file))
    .sort()
    .map((file) => readFileSync(`${folder}/${file}`, 'utf8').trim());
  // Where a package brings no text, its own manifest says who made it.
  const { author, repository } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const made = [author?.name ?? author, repository?.url ?? repository].filter(Boolean).join(', ');
  const body =
    texts.length > 0 ? texts.join('\n\n') : `Its licence is ${license}; the package has no text of it. ${made}`;
  return `${name} ${version} (${license})\n\n${body}\n`;
}
