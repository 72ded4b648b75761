import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileSink, Subprocess } from 'bun';
import { eventually } from '../support/eventually.ts';
import { connections } from '../support/metrics.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

const ROOT = join(import.meta.dir, '../..');

/** A fenced block of the walk: what is typed into somebody's terminal, or seen there. */
interface Step {
  terminal: 'Alice' | 'Bob';
  language: 'bash' | 'json';
  text: string;
}

let server: TestServer;
const terminals: Terminal[] = [];

beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await Promise.all(terminals.map((terminal) => terminal.end()));
  await endServers();
});

/** The walk as README.md prints it, with the address of the test's server. */
function readWalk(): Step[] {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const walk = /<!-- walk -->(.*)<!-- \/walk -->/s.exec(readme)?.[1] ?? '';
  const steps: Step[] = [];
  let terminal: Step['terminal'] | undefined;
  for (const [, heading, language, text] of walk.matchAll(
    /^\*\*(Alice|Bob)'s terminal\.\*\*|^```(\w+)\n(.*?)^```$/gms,
  )) {
    if (heading) terminal = heading as Step['terminal'];
    else steps.push({ terminal: terminal!, language: language as Step['language'], text: text! });
  }
  const address = new URL(server.url).host;
  return steps.map((step) => ({ ...step, text: step.text.replaceAll('localhost:8080', address) }));
}

/** A shell that is typed into, and whatever runs in it. */
class Terminal {
  private readonly shell: Subprocess<'pipe', 'pipe', 'pipe'>;
  private seen = '';
  private complaints = '';

  constructor() {
    // A shell of its own session: what runs in it is ended with it.
    this.shell = Bun.spawn(['bash', '--noprofile', '--norc'], {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', NPM_CONFIG_UPDATE_NOTIFIER: 'false' },
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    void this.read(this.shell.stdout, (text) => {
      this.seen += text;
    });
    void this.read(this.shell.stderr, (text) => {
      this.complaints += text;
    });
    terminals.push(this);
  }

  type(text: string): void {
    const stdin = this.shell.stdin as FileSink;
    stdin.write(text.endsWith('\n') ? text : `${text}\n`);
    stdin.flush();
  }

  /** The JSON lines that it showed, some of them behind wscat's prompt. */
  get lines(): string[] {
    const whole = this.seen.split('\n').slice(0, -1);
    return whole.map((line) => line.replace(/^(> )+/, '')).filter((line) => line.startsWith('{'));
  }

  /** Resolves with the JSON line of this number, once it is there. */
  line(number: number): Promise<string> {
    return eventually(`line ${number} of ${this.seen} ${this.complaints}`, async () => this.lines[number]);
  }

  async end(): Promise<void> {
    this.shell.stdin.end(); // wscat ends with its input, and the shell after it
    await this.shell.exited;
    expect(this.complaints).not.toContain('error');
  }

  private async read(stream: ReadableStream<Uint8Array>, onText: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) onText(decoder.decode(chunk, { stream: true }));
  }
}

test('the walk in README.md works as printed', async () => {
  const walk = readWalk();
  expect(walk.map(({ terminal, language }) => `${terminal} ${language}`)).toEqual([
    'Alice bash',
    'Bob bash',
    'Alice bash',
    'Bob bash',
    'Alice json',
    'Bob json',
    'Bob json',
    'Alice json',
  ]);
  const [aliceJoins, bobJoins, aliceConnects, bobConnects, hers, heardByBob, his, heardByAlice] = walk.map(
    ({ text }) => text,
  );
  const [alice, bob] = [new Terminal(), new Terminal()];

  alice.type(aliceJoins!);
  bob.type(bobJoins!);
  await eventually('both have signed up', async () => server.lines.filter(({ status }) => status === 201).length === 2);

  alice.type(aliceConnects!);
  const herLine = await alice.line(0);
  bob.type(bobConnects!);
  const hisLine = await bob.line(0);
  expectLike(herLine, hers!);
  expectLike(hisLine, his!);
  await eventually('both are connected', async () => (await connections(server)) === 2);

  alice.type(herLine);
  const first = await bob.line(1);
  expectLike(first, heardByBob!);
  expect(JSON.parse(first).conversation_id).toBe(JSON.parse(herLine).conversation_id);

  bob.type(hisLine);
  const second = await alice.line(1);
  expectLike(second, heardByAlice!);
  expect(JSON.parse(second)).toMatchObject({
    conversation_id: JSON.parse(first).conversation_id,
    sender_id: JSON.parse(hisLine).recipient && expect.not.stringMatching(JSON.parse(hisLine).recipient),
  });
  expect([alice.lines.length, bob.lines.length]).toEqual([2, 2]);
}, 60_000);

/** Whether a line is what was printed: the same fields in the same order, the same values but for ids and times. */
function expectLike(line: string, printed: string): void {
  const changing = (value: unknown) => value === '…' || (typeof value === 'number' && value > 1e12);
  const got = JSON.parse(line);
  const shown = JSON.parse(printed);
  expect(Object.keys(got)).toEqual(Object.keys(shown));
  for (const [key, value] of Object.entries(shown)) {
    if (!changing(value)) expect(got[key]).toEqual(value);
    else if (typeof value === 'number') expect(Math.abs(got[key] - Date.now())).toBeLessThan(60_000);
    else expect(got[key]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  }
}
