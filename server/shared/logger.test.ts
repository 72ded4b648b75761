import { describe, expect, test } from 'bun:test';
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

describe('what comes from outside acts on no terminal', () => {
  // Colours, a title of the window, an 8-bit escape, a new line, text that runs the other way.
  const nasty = [
    '\u001b[31m',
    '\u009b31m',
    '\u009d0;owned\u009c',
    '\u0085',
    '\u007f',
    '\r\n',
    '\u2028',
    '\u202e',
    '\u2066',
  ];
  const active = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;
  const program = (format: string) => `
    const log = createLogger({ log_level: 'info', log_format: ${JSON.stringify(format)} } as never);
    for (const text of ${JSON.stringify(nasty)}) {
      const error = new Error('cause ' + text);
      log.error({ path: '/a' + text + 'b', nested: { of: [text] }, err: error }, 'request ' + text + ' failed');
    }
  `;
  const source = (format: string) => `
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, 'logger.ts'))};
    ${program(format)}
  `;
  const output = (format: string) =>
    Bun.spawnSync([process.execPath, '-e', source(format)], { cwd: import.meta.dir }).stdout.toString();

  test('in lines for people', () => {
    const text = output('pretty');
    // The colours of the log itself.
    const lines = Bun.stripANSI(text).split('\n');
    expect(lines.filter((line) => active.test(line))).toEqual([]);
    // Those of others are none.
    expect(text).toContain('request \\u001b[31m failed');
    expect(text).toContain('/a\\u009b31mb');
    expect(lines.filter((line) => line.includes('request ') && line.includes('failed'))).toHaveLength(nasty.length);
  });

  test('nor in JSON, which says the same', () => {
    const lines = output('json').trimEnd().split('\n');
    expect(lines.filter((line) => active.test(line))).toEqual([]);
    expect(lines.map((line) => JSON.parse(line)).map(({ msg, path }) => [msg, path])).toEqual(
      nasty.map((text) => [`request ${text} failed`, `/a${text}b`]),
    );
  });
});
