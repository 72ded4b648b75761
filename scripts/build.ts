/**
 * Builds dist/parley, or the file that is named: one executable with the runtime, the program, its threads and its pages.
 *
 *   bun scripts/build.ts [file] [--target bun-linux-arm64 --runtime path]
 *
 * For another system than this one `--runtime` names the Bun that is put into it.
 */
import { parseArgs } from 'node:util';
import { webFiles } from '../server/pages/web-files.ts';
import { embedNotices } from './embed-notices.ts';
import { embedThreads, threadEntrypoints } from './embed-threads.ts';
import { embedWeb } from './embed-web.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { target: { type: 'string' }, runtime: { type: 'string' } },
});
const { target, runtime } = values;
if (Object.keys(webFiles()).length === 0) process.stdout.write('The web client is not in it: build that first\n');
const outfile = positionals[0] ?? 'dist/parley';
const result = await Bun.build({
  entrypoints: ['server/main.ts', ...threadEntrypoints],
  compile: {
    outfile,
    ...(target !== undefined && { target: target as Bun.Build.CompileTarget }),
    ...(runtime !== undefined && { executablePath: runtime }),
  },
  // Compiled ahead: it starts in a fifth of the time.
  bytecode: true,
  // Some packages keep where they lie. Nothing in an executable lies there, and it is to be the same from any folder.
  define: { __dirname: JSON.stringify('/') },
  plugins: [embedNotices, embedThreads, embedWeb],
});
for (const message of result.logs) console.error(message);
if (!result.success) process.exit(1);
process.stdout.write(`${outfile}: ${(Bun.file(outfile).size / 1024 / 1024).toFixed(0)} MiB\n`);
