import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './server.ts';

/** What a server asks of the system and in which order, written down by strace. */

const CALLS = ['fsync', 'fdatasync', 'pwrite64', 'pwritev', 'read', 'recvfrom', 'recvmsg'];
const SENDING = ['write', 'writev', 'sendto', 'sendmsg', 'sendmmsg'];
const RECEIVING = ['read', 'recvfrom', 'recvmsg'];
const SYNCING = ['fsync', 'fdatasync'];
const WRITING = ['pwrite64', 'pwritev', 'write', 'writev'];
/** How long strace may take to finish its file once the process has ended. */
const FINISH_MS = 10_000;

/** Why processes cannot be traced here, or nothing where they can. */
export function whyNotTraceable(): string | undefined {
  if (!Bun.which('strace')) return 'strace is not installed';
  const { exitCode, stderr } = Bun.spawnSync(['strace', '-f', '-o', '/dev/null', 'true']);
  return exitCode === 0 ? undefined : `strace cannot trace (${stderr.toString().trim().split('\n')[0]})`;
}

/** One call of a thread. `start` and `end` are its places in the order of all that happened. */
export interface Call {
  name: string;
  /** The file's path, or `TCP:[…->…]`. */
  target: string;
  text: string;
  start: number;
  end: number;
  result: number;
}

export class Trace {
  private readonly file = join(temporaryFolder(), 'trace.txt');

  /** Put before a command, it traces it; the process started is still the command's own, and can be killed as such. */
  get prefix(): string[] {
    const calls = [...CALLS, ...SENDING].join(',');
    return ['strace', '-D', '-f', '-q', '-yy', '-s', '4096', '-e', `trace=${calls}`, '-o', this.file];
  }

  /** All calls, once the process has ended. */
  async calls(pid: number): Promise<Call[]> {
    const deadline = Date.now() + FINISH_MS;
    const isFinished = (text: string) => new RegExp(`^${pid} +\\+\\+\\+ `, 'm').test(text);
    for (;;) {
      const text = readFileSync(this.file, 'utf8');
      if (isFinished(text)) return parse(text.split('\n'));
      if (Date.now() > deadline) throw new Error('strace did not finish its file');
      await Bun.sleep(20);
    }
  }
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (-?\d+)/;
const UNFINISHED = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/;
const RESUMED = /^(\d+) +<\.\.\. \w+ resumed>(.*)\) += (-?\d+)/;
const TARGET = /^\d+<((?:->|[^>])+)>/;

/** A call in which another thread comes between is told in two lines, of which the second says when it was done. */
function parse(lines: string[]): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { name: string; text: string; start: number }>();
  const add = (name: string, text: string, start: number, end: number, result: string) => {
    const target = TARGET.exec(text)?.[1] ?? '';
    calls.push({ name, target, text, start, end, result: Number(result) });
  };
  for (const [place, line] of lines.entries()) {
    const whole = WHOLE.exec(line);
    if (whole) {
      add(whole[2]!, whole[3]!, place, place, whole[4]!);
      continue;
    }
    const begun = UNFINISHED.exec(line);
    if (begun) unfinished.set(begun[1]!, { name: begun[2]!, text: begun[3]!, start: place });
    const ended = RESUMED.exec(line);
    const call = ended && unfinished.get(ended[1]!);
    if (call) add(call.name, call.text + ended[2]!, call.start, place, ended[3]!);
  }
  return calls;
}

export const isSend = ({ name, target }: Call) => SENDING.includes(name) && target.startsWith('TCP');
const isReceipt = ({ name, target, result }: Call) =>
  RECEIVING.includes(name) && target.startsWith('TCP') && result > 0;
const isLog = ({ target }: Call) => target.endsWith('-wal');

/**
 * Whether the message of a key was on stable storage before the first word about it left: between its receipt on the
 * sender's socket and the first send that names it to anybody, it was written to SQLite's log, and *then* the log was
 * synced, and the sync was done. For messages that are sent one at a time. `answer` is how its sender was answered.
 */
export function wasSyncedFirst(calls: Call[], key: string, answer: string): boolean {
  const named = calls.filter((call) => isSend(call) && call.text.includes(key));
  const socket = named.find(({ text }) => text.includes(answer))?.target;
  if (socket === undefined) throw new Error(`the trace shows no ${answer} for ${key}`);
  const left = Math.min(...named.map(({ start }) => start));
  const receipt = calls.findLast((call) => isReceipt(call) && call.target === socket && call.end < left);
  if (!receipt) throw new Error(`the trace does not show how ${key} came`);
  const between = calls.filter((call) => isLog(call) && call.start > receipt.end && call.end < left);
  const written = between.findLast(({ name }) => WRITING.includes(name));
  return between.some(
    ({ name, start, result }) => SYNCING.includes(name) && result === 0 && start > (written?.end ?? left),
  );
}
