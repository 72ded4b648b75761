import { expect, test } from 'bun:test';
import { join } from 'node:path';

/** The command line of a program that has `log`. */
function command(program: string): string[] {
  const source = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, 'logger.ts'))};
    const log = createLogger({ log_level: 'info', log_format: 'json' } as never);
    ${program}
  `;
  return [process.execPath, '-e', source];
}

/** Runs a program to its end, and answers what it logged. */
function logged(program: string): string[] {
  const { stdout } = Bun.spawnSync(command(program), { cwd: import.meta.dir });
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

test('who goes away while lines are read does not hold up the program', async () => {
  const program = `
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    log.info('first');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    for (let line = 0; line < 1000; line++) {
      log.info('nobody reads this');
      await turn();
    }
    process.exit(7);
  `;
  const child = Bun.spawn(command(program), { cwd: import.meta.dir, stdin: 'pipe', stdout: 'pipe' });
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  child.stdin.write('go on');
  child.stdin.end();
  expect(await child.exited).toBe(7);
});
