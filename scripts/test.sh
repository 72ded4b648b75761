#!/usr/bin/env bash
# Runs every suite, or those that are named, one after the other, whatever fails on the way; ends with a line
# "N passed, N failed". With CI=true a skipped test is a failure. REPORTS names a folder for what the suites report (JUnit)
# and the total.
set -uo pipefail
cd "$(dirname "$0")/.."

bun=node_modules/.bin/bun
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
reports=${REPORTS:-$scratch}
mkdir -p "$reports"
case "${CI:-}" in '' | 0 | false) ci= ;; *) ci=yes ;; esac

passed=0
failed=0
skipped=0
summary=()
faults=()

# The number that the root of a JUnit file gives to an attribute.
number() {
  sed -n "s/^<testsuites .*[ ]$2=\"\([0-9]*\)\".*/\1/p" "$1" | head -n 1
}

# What failed, a line each, by the JUnit file of a suite: where, what, and how the reason begins.
failures() {
  awk -v suite="$1" '
    function attribute(line, name) {
      return match(line, " " name "=\"[^\"]*\"") ? substr(line, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : ""
    }
    /<testcase / { test = attribute($0, "file") " > " attribute($0, "classname") " > " attribute($0, "name") }
    /<failure / { print "FAILED " suite ": " test ": " substr(attribute($0, "message"), 1, 240) }' "$2" |
    sed -e 's/&#10;/ /g' -e 's/&quot;/"/g' -e "s/&apos;/'/g" -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&amp;/\&/g'
}

# suite NAME MINUTES MILLISECONDS ARGUMENT...: runs a suite for at most so long in all, and so long for a test that does
# not set its own time; the arguments are Bun's, and paths.
suite() {
  local name=$1 minutes=$2 milliseconds=$3
  shift 3
  local report=$reports/$name.xml status=0 started=$SECONDS limit=()
  rm -f "$report"
  if command -v timeout > /dev/null; then limit=(timeout --kill-after=20 "${minutes}m"); fi
  printf '\n== %s tests\n' "$name"
  "${limit[@]}" "$bun" test --timeout "$milliseconds" --reporter=junit --reporter-outfile="$report" "$@" || status=$?

  local all=0 bad=0 left_out=0
  if [ -s "$report" ]; then
    all=$(number "$report" tests)
    bad=$(number "$report" failures)
    left_out=$(number "$report" skipped)
    while IFS= read -r line; do faults+=("$line"); done < <(failures "$name" "$report")
  fi
  all=${all:-0} bad=${bad:-0} left_out=${left_out:-0}
  local good=$((all - bad - left_out)) note=
  # A suite that crashed, hung or found no tests reports no failure, and has failed all the same.
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
    bad=1
    note=" (ended with $status)"
  elif [ "$all" -eq 0 ]; then
    bad=1
    note=' (no tests were found)'
  fi
  if [ "$left_out" -gt 0 ]; then
    note="$note, $left_out SKIPPED: see NOT TESTED above"
    if [ -n "$ci" ]; then bad=$((bad + left_out)); fi
  fi
  passed=$((passed + good))
  failed=$((failed + bad))
  skipped=$((skipped + left_out))
  summary+=("$(printf '%-11s %5d passed, %d failed%s, %d s' "$name" "$good" "$bad" "$note" "$((SECONDS - started))")")
}

# Files beside each other, each on servers of its own: much of the time passes in waiting.
beside=(--parallel=3 --no-isolate)

# What needs no engine beside it and takes no long rounds, of the tests that stand beside their code.
quick=()
while IFS= read -r file; do
  case $file in
    *postgres* | *redis* | */worker/* | */jobs/* | */feed.test.ts | */bench/*) ;;
    *) quick+=("$file") ;;
  esac
done < <(find ./server ./protocol ./sdk ./web/src -name '*.test.ts' | sort)

# What asks nodes for something: not what is of one process or SQLite's files, of the executable, the package or a release, of the containers, of the walk,
# or of a browser's storage.
on_nodes=()
for file in ./tests/e2e/*.test.ts; do
  case ${file##*/} in
    configuration.* | containers.* | copy.* | erasure.* | executable.* | postgres.* | release.* | sdk-browser.* | sdk-package.* | threads.* | walk.*) ;;
    *) on_nodes+=("$file") ;;
  esac
done

# Where time is measured, nothing else runs.
in_browser=()
for file in ./tests/browser/*.test.ts; do
  [ "${file##*/}" = budgets.test.ts ] || in_browser+=("$file")
done

breaking=(./tests/cluster/*.test.ts)
for file in ./tests/chaos/*.test.ts; do
  [ "${file##*/}" = model.test.ts ] || breaking+=("$file")
done

# Builds the executable, once; where that fails, so do the tests that need it.
built() {
  [ -x "$scratch/parley" ] || "$bun" scripts/build.ts "$scratch/parley" || true
}

run() {
  case $1 in
    unit) suite unit 6 30000 --parallel=2 --no-isolate ./server ./protocol ./bench ./sdk ./web/src ;;
    quick)
      suite quick 2 30000 --parallel=2 --no-isolate "${quick[@]}" \
        ./tests/e2e/{walk,talking,sending}.test.ts
      ;;
    # Through the front door of the executable, on one node with SQLite, and on three with PostgreSQL and Redis.
    e2e) built && TEST_PROGRAM=$scratch/parley suite e2e 12 60000 "${beside[@]}" ./tests/e2e ;;
    e2e-nodes)
      built && TEST_PROGRAM=$scratch/parley TEST_TOPOLOGY=cluster suite e2e-nodes 18 60000 "${beside[@]}" "${on_nodes[@]}"
      ;;
    # What breaks, on one node and between several; what takes longest begins first.
    chaos)
      built && TEST_PROGRAM=$scratch/parley suite chaos 15 240000 "${beside[@]}" ./tests/chaos/model.test.ts "${breaking[@]}"
      ;;
    model-nodes)
      TEST_TOPOLOGY=cluster SEEDS=${SEEDS:-8} LANES=4 suite model-nodes 6 240000 ./tests/chaos/model.test.ts
      ;;
    browser) suite browser 10 60000 --parallel=2 --no-isolate "${in_browser[@]}" ;;
    budgets) suite budgets 4 60000 ./tests/browser/budgets.test.ts ;;
    *)
      printf 'there is no suite %s\n' "$1" >&2
      exit 2
      ;;
  esac
}

if [ $# -eq 0 ]; then set -- unit e2e e2e-nodes chaos model-nodes browser budgets; fi
for name in "$@"; do run "$name"; done

printf '\n== all tests\n'
printf '%s\n' "${summary[@]}"
# Last, so that the end of a long log says it.
if [ ${#faults[@]} -gt 0 ]; then printf '%s\n' "${faults[@]}"; fi
if [ "$skipped" -gt 0 ]; then printf '!!! %d SKIPPED\n' "$skipped"; fi
printf '%d passed, %d failed\n' "$passed" "$failed" | tee "$reports/total"
[ "$failed" -eq 0 ]
