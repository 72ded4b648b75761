/** Checks the licence of every package that a user gets. Ends with 1 where one is under a licence that is not on the list. */
import satisfies from 'spdx-satisfies';
import { packagesOfUsers } from './packages.ts';

/** The licences that CONTRIBUTING.md allows. */
const ALLOWED = ['MIT', 'MIT-0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Apache-2.0', 'MPL-2.0'];

const packages = packagesOfUsers();
const wrong = packages.filter(({ license }) => !isAllowed(license));
if (wrong.length > 0) {
  const lines = wrong.map(({ name, version, license }) => `  ${name} ${version}: ${license ?? 'says none'}\n`);
  console.error(`Licences that are not among ${ALLOWED.join(', ')}:\n${lines.join('')}`);
  process.exit(1);
}
process.stdout.write(`licences: ${packages.length} packages that users get, all allowed\n`);

function isAllowed(license: string | undefined): boolean {
  try {
    return license !== undefined && satisfies(license, ALLOWED);
  } catch {
    return false; // no expression of SPDX
  }
}
