import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { disarmed } from '../protocol/text.ts';

/** Lines in, lines out: what comes is printed above what is being typed. */
export class Terminal {
  private readonly isTty = process.stdin.isTTY === true && process.stdout.isTTY === true;
  private isHidden = false;
  private readonly readline: Interface;
  private readonly lines: string[] = [];
  private readers: ((line: string | undefined) => void)[] = [];
  private isOver = false;
  /** Called at each key. */
  onKey = () => {};

  constructor() {
    const output = new Writable({
      write: (chunk, _, done) => {
        if (!this.isHidden) process.stdout.write(chunk);
        done();
      },
    });
    this.readline = createInterface({ input: process.stdin, output, terminal: this.isTty, prompt: '> ' });
    this.readline.on('line', (line) => this.put(line));
    this.readline.on('close', () => this.end());
    process.stdin.on('keypress', () => this.onKey());
  }

  /** The next line, or undefined at the end of the input. */
  next(prompt = '> '): Promise<string | undefined> {
    this.readline.setPrompt(disarmed(prompt, () => ''));
    if (this.isTty) this.readline.prompt();
    const line = this.lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.isOver) return Promise.resolve(undefined);
    return new Promise((resolve) => this.readers.push(resolve));
  }

  /** A line that is not shown while it is typed. */
  async secret(prompt: string): Promise<string> {
    if (this.isTty) process.stdout.write(prompt);
    this.isHidden = true;
    const line = await this.next('');
    this.isHidden = false;
    if (this.isTty) process.stdout.write('\n');
    return line ?? '';
  }

  /** Prints a line. What others wrote cannot move the cursor or colour the screen. */
  say(text: string): void {
    const [clear, again] = this.isTty ? ['\r\x1b[K', () => this.readline.prompt(true)] : ['', () => {}];
    process.stdout.write(`${clear}${printable(text)}\n`);
    if (!this.isOver && this.readers.length > 0) again();
  }

  close(): void {
    this.readline.close();
    process.stdin.unref?.();
  }

  private put(line: string): void {
    const reader = this.readers.shift();
    if (reader) reader(line);
    else this.lines.push(line);
  }

  private end(): void {
    this.isOver = true;
    for (const reader of this.readers.splice(0)) reader(undefined);
  }
}

/** Text without control characters, but for the ends of lines, and without what turns the direction of writing. */
export function printable(text: string): string {
  return disarmed(text, (one) => (one === '\n' ? '\n    ' : ''));
}
