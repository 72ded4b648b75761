const inCi = !['', '0', 'false', undefined].includes(process.env.CI);

/**
 * Whether a test can run on this machine: it can where nothing is `missing`. Where it cannot, a line that nobody overlooks
 * says what is not tested; in CI that is a failure.
 */
export function canTest(what: string, missing: string | undefined): boolean {
  if (missing === undefined) return true;
  const line = `NOT TESTED: ${what}: ${missing}`;
  if (inCi) throw new Error(line);
  const rule = '!'.repeat(line.length + 8);
  process.stderr.write(`\n${rule}\n!!! ${line} !!!\n${rule}\n\n`);
  return false;
}
