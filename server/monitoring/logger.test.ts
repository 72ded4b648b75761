import { expect, test } from 'bun:test';
import { join } from 'node:path';

/** Runs a program that has `log`, and answers what it logged. */
function logged(program: string): string[] {
  const source = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, 'logger.ts'))};
    const log = createLogger({ log_level: 'info', log_format: 'json' } as never);
    ${program}
  `;
  const { stdout } = Bun.spawnSync([process.execPath, '-e', source], { cwd: import.meta.dir });
  const lines = stdout.toString().trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line).msg);
}

test('what is logged in the turn in which the process ends is written, in order', () => {
  const program = `for (let line = 1; line <= 1000; line++) log.info(String(line)); process.exit(1);`;
  expect(logged(program)).toEqual(Array.from({ length: 1000 }, (_, line) => String(line + 1)));
});

test('a line does not wait for the next one', () => {
  const program = `
    log.info('first');
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    process.kill(process.pid, 'SIGKILL');
  `;
  expect(logged(program)).toEqual(['first']);
});
