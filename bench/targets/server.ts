import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BenchFailure } from '../failure.ts';
import { cpuMoment } from '../measure/cpu.ts';
import { pinned, SERVER_CORE } from '../measure/pinning.ts';
import type { World } from '../world.ts';
import { end, track } from './child.ts';
import type { Target } from './target.ts';

/** A server that runs, in a process of its own. */
export interface Server {
  pid: number;
  /** A process whose children belong to it, such as its database. */
  beside_pid?: number;
  url: string;
  /** Of all its nodes, the first one's among them. */
  urls: string[];
  /** Its other nodes, and its Redis. */
  others: { pid: number; name: string }[];
  /** From the start of its process to its word that it listens. */
  start_ms: number;
  /** CPU that it used until then, of all its threads. */
  start_cpu_ms: number;
  /** The end of what it wrote to its standard error. */
  complaints(): string;
  stop(): Promise<void>;
}

/** How long a start may take, a large database's first look included. */
const START_LIMIT_MS = 60_000;

/** Of a server's standard error, so much is kept for when it fails. */
const COMPLAINT_CHARACTERS = 4000;

/** Folders that are still to be removed. */
const folders = new Set<string>();

/** Starts a target's server over a prepared folder; `onAnyCore` leaves it unpinned. */
export async function startServer(target: Target, dir: string, onAnyCore = false): Promise<Server> {
  const { command, env, beside_pid, nodes = 1, redis_pid } = target.command(dir);
  const run = onAnyCore || nodes > 1 ? command : pinned(SERVER_CORE, command);
  const first = await startProcess(target, run, env, dir);
  const rest = await Promise.all(Array.from({ length: nodes - 1 }, () => startProcess(target, run, env, dir)));
  const others = rest.map(({ pid }, index) => ({ pid, name: `node ${index + 2}` }));
  if (redis_pid !== undefined) others.push({ pid: redis_pid, name: 'redis' });
  return {
    ...first,
    beside_pid,
    urls: [first, ...rest].map(({ url }) => url),
    others,
    async stop() {
      await Promise.all([first, ...rest].map((one) => one.stop()));
    },
  };
}

async function startProcess(target: Target, command: string[], env: Record<string, string>, dir: string) {
  const begunAt = performance.now();
  const child = track(
    Bun.spawn(command, {
      env: { PATH: process.env.PATH, HOME: dir, ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    }),
  );
  let complaints = '';
  void eachText(child.stderr, (text) => {
    complaints = (complaints + text).slice(-COMPLAINT_CHARACTERS);
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
  const url = await listeningAt(child.stdout);
  clearTimeout(deadline);
  const start_ms = performance.now() - begunAt;
  if (url === undefined) {
    await end(child);
    throw new BenchFailure(`${target.label} did not start:\n${complaints}`);
  }
  const start_cpu_ms = cpuMoment(child.pid).process_ms;
  return {
    pid: child.pid,
    url,
    start_ms,
    start_cpu_ms,
    complaints: () => complaints,
    stop: () => end(child),
  };
}

/** Runs `work` with a server of its own over its own world, and leaves nothing behind; `onAnyCore` leaves it unpinned. */
export async function withServer<T>(
  target: Target,
  world: World,
  workDir: string,
  work: (server: Server) => Promise<T>,
  onAnyCore = false,
): Promise<T> {
  return withFolder(workDir, async (dir) => {
    await target.prepare(world, dir);
    const server = await startServer(target, dir, onAnyCore);
    try {
      await target.introduce(world, server.url);
      return await work(server);
    } catch (error) {
      console.error(server.complaints());
      throw error;
    } finally {
      await server.stop();
    }
  });
}

/** Runs `work` with an empty folder, which is removed afterwards. */
export async function withFolder<T>(workDir: string, work: (dir: string) => Promise<T>): Promise<T> {
  mkdirSync(workDir, { recursive: true });
  const dir = mkdtempSync(join(workDir, 'parley-bench-'));
  folders.add(dir);
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
    folders.delete(dir);
  }
}

/** For the end of the bench itself. */
export function removeFolders(): void {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
}

/** Where a server's log says that it listens; undefined where the log ends before. The rest is read too, or it would block. */
function listeningAt(log: ReadableStream<Uint8Array>): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text: string | undefined = '';
    const look = (more: string) => {
      if (text === undefined) return;
      text += more;
      const line = text.split('\n').find((one) => one.includes('"listening"') && one.endsWith('}'));
      if (!line) return;
      text = undefined;
      resolve(JSON.parse(line).url);
    };
    void eachText(log, look).then(() => resolve(undefined));
  });
}

async function eachText(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}
