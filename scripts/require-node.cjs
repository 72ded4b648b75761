// Says in one line which Node is needed, before npm fails with something else. `make setup` runs it with whatever Node there
// is, so it keeps to the language of old ones, and needs no package.
const wanted = require('../package.json').engines.node; // such as "^20.19.0 || >=22.12.0"
const found = process.argv[2] || process.versions.node;

/** Whether `range`, which is `^x.y.z` or `>=x.y.z`, contains the version. */
function fits(range) {
  const want = numbers(range);
  const have = numbers(found);
  if (range.trim().charAt(0) === '^' && have[0] !== want[0]) return false;
  for (let i = 0; i < 3; i++) if (have[i] !== want[i]) return have[i] > want[i];
  return true;
}

function numbers(version) {
  return version.match(/\d+/g).map(Number);
}

if (!wanted.split('||').some(fits)) {
  console.error(`Parley needs Node ${wanted}, and this is ${found}: get a newer one from https://nodejs.org`);
  process.exit(1);
}
