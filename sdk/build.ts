/** Builds sdk/dist, or the folder that is named: the bundles, and declarations that need nothing but TypeScript. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { protocolDeclarations } from './protocol-declarations.ts';

const ROOT = join(import.meta.dir, '..');
const outdir = resolve(process.argv[2] ?? join(import.meta.dir, 'dist'));

await buildSdk();

async function buildSdk(): Promise<void> {
  rmSync(outdir, { recursive: true, force: true });
  await bundle('index.ts', 'browser');
  await bundle('file.ts', 'node');
  await declare();
  const size = Bun.gzipSync(await Bun.file(join(outdir, 'index.js')).bytes()).length;
  process.stdout.write(`${outdir}: index.js is ${(size / 1024).toFixed(1)} KB gzipped\n`);
}

async function bundle(entry: string, target: 'browser' | 'node'): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(import.meta.dir, entry)],
    outdir,
    target,
    format: 'esm',
    minify: true,
    sourcemap: 'linked',
    // Fields are set in constructors: written out as fields too they would make the bundle longer.
    tsconfig: join(import.meta.dir, 'tsconfig.build.json'),
  });
  for (const message of result.logs) console.error(message);
  if (!result.success) process.exit(1);
}

/**
 * tsc writes one declaration for each file. They import the contract through protocol.ts alone, whose declarations are
 * written out from the schemas: those of tsc would need the schemas themselves.
 */
async function declare(): Promise<void> {
  const emitted = mkdtempSync(join(tmpdir(), 'parley-sdk-'));
  try {
    const tsc = [join(ROOT, 'node_modules/.bin/tsc'), '-p', join(import.meta.dir, 'tsconfig.build.json')];
    const { exitCode, stdout } = Bun.spawnSync([...tsc, '--outDir', emitted], { stderr: 'inherit' });
    if (exitCode !== 0) {
      console.error(stdout.toString());
      process.exit(1);
    }
    const sdk = join(emitted, 'sdk');
    await Bun.write(join(sdk, 'protocol.d.ts'), protocolDeclarations());
    for (const file of readdirSync(sdk, { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith('.d.ts'))) {
      const text = await Bun.file(join(sdk, file)).text();
      await Bun.write(join(sdk, file), text.replace(/(from '\.[^']*)\.ts'/g, "$1.js'"));
    }
    cpSync(sdk, outdir, { recursive: true });
  } finally {
    rmSync(emitted, { recursive: true, force: true });
  }
}
