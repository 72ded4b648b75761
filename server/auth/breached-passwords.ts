import { createHash } from 'node:crypto';
import { type FileHandle, open, stat } from 'node:fs/promises';
import pLimit from 'p-limit';
import { normalPassword } from '../../protocol/text.ts';
import { ConfigError } from '../config/config.ts';
import { ParleyError } from '../shared/errors.ts';

/** A SHA-1 in hexadecimal, and perhaps how often it was seen; some releases of the list pad their lines. */
const LINE = /^([0-9A-F]{40})(?::\d{1,12})?[ \t]*\r?$/i;
/** Bytes of a line with its end, at most. */
const MAX_LINE = 128;
/** Bytes that are looked through from one end to the other, where the search has come so near. */
const STRETCH = 4096;
/** Places that are looked at when the file is opened. */
const PROBES = 64;

/** Look-ups at once: they share the threads that read files with the rest of the program. */
const AT_ONCE = 2;
/** Look-ups that wait, at most. */
const MAX_WAITING = 200;
/** How long one may take, with its wait, in milliseconds: some thirty reads. */
const LOOK_UP_MS = 2000;

/** The file is not what it was when it was opened, or nobody can read it any more. */
class Damaged extends Error {}

/**
 * Passwords that are known from breaches of other services (ASVS 6.2.12): a file of SHA-1 in ascending order, a line each, such as
 * the "Pwned Passwords" of Have I Been Pwned, which has some 40 GB. It is searched where it lies, and never loaded.
 */
export class BreachedPasswords {
  private readonly limit = pLimit(AT_ONCE);

  private constructor(
    private readonly file: FileHandle,
    /** In bytes. */
    private readonly size: number,
    private readonly lookUpMs: number,
  ) {}

  /** Opens the file of `PASSWORD_BLOCKLIST`. Fails with a `ConfigError` where it is none that can be searched. */
  static async open(path: string, { lookUpMs = LOOK_UP_MS } = {}): Promise<BreachedPasswords> {
    const refuse = (reason: string) => new ConfigError(`PASSWORD_BLOCKLIST names ${path}, which ${reason}`);
    let file: FileHandle | undefined;
    try {
      // Before it is opened: a pipe would be waited for until somebody writes to it.
      if (!(await stat(path)).isFile()) throw refuse('is no file');
      file = await open(path, 'r');
      const { size } = await file.stat();
      const list = new BreachedPasswords(file, size, lookUpMs);
      const fault = await list.fault();
      if (fault !== undefined) throw refuse(fault);
      return list;
    } catch (error) {
      await file?.close();
      if (error instanceof ConfigError) throw error;
      throw refuse(`cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /**
   * Whether a password is in the file, in its normal form or as it was typed. Fails with `unavailable` where the file cannot
   * be read in time: what cannot be looked up is not taken for good.
   */
  async has(password: string): Promise<boolean> {
    const hashes = [...new Set([normalPassword(password), password])].map(sha1);
    if (this.limit.pendingCount >= MAX_WAITING) throw new ParleyError('unavailable');
    const late = Promise.withResolvers<never>();
    const aborter = new AbortController();
    const timer = setTimeout(() => {
      aborter.abort();
      late.reject(new Error('the file of PASSWORD_BLOCKLIST was not read in time'));
    }, this.lookUpMs);
    // It has its place until its read is over, whoever still waits for it: reads that hang take no more threads than that.
    const search = this.limit(async () => {
      for (const hash of hashes) if (await this.find(hash, aborter.signal)) return true;
      return false;
    });
    search.catch(() => {}); // told below, unless it is late
    try {
      return await Promise.race([search, late.promise]);
    } catch (cause) {
      throw new ParleyError('unavailable', undefined, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Halves the stretch in which the line of a hash would begin, until it is short enough to look through. */
  private async find(hash: string, signal: AbortSignal): Promise<boolean> {
    // A line begins at `low`, and none before it is the one; one that is begins before `high`.
    let [low, high] = [0, this.size];
    while (high - low > STRETCH) {
      signal.throwIfAborted();
      const middle = Math.floor((low + high) / 2);
      const [first] = await this.lines(middle, middle + MAX_LINE, { isInside: true });
      if (first?.hash === hash) return true;
      if (first && first.hash < hash) low = first.at;
      else high = middle + 1;
    }
    signal.throwIfAborted();
    return (await this.lines(low, high)).some((line) => line.hash === hash);
  }

  /**
   * The lines that begin between two places, with where they begin. `isInside`: the first place may be inside of a line, which is
   * left out.
   */
  private async lines(from: number, to: number, { isInside = false } = {}): Promise<{ at: number; hash: string }[]> {
    // To the end of the line that begins last.
    const until = Math.min(to + MAX_LINE, this.size);
    const text = await this.read(from, until - from);
    const lines: { at: number; hash: string }[] = [];
    let begin = isInside ? after(text, 0) : 0;
    if (begin > MAX_LINE && until < this.size)
      throw new Damaged(`the file of PASSWORD_BLOCKLIST has no line at ${from}`);
    while (from + begin < to && begin < text.length) {
      const end = after(text, begin);
      const [, hash] = LINE.exec(text.slice(begin, end).replace(/\n$/, '')) ?? [];
      if (hash === undefined) throw new Damaged(`the file of PASSWORD_BLOCKLIST has no hash at ${from + begin}`);
      lines.push({ at: from + begin, hash: hash.toUpperCase() });
      begin = end;
    }
    return lines;
  }

  private async read(from: number, length: number): Promise<string> {
    const buffer = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.file.read(buffer, done, length - done, from + done);
      if (bytesRead === 0) throw new Damaged('the file of PASSWORD_BLOCKLIST is shorter than it was');
      done += bytesRead;
    }
    return buffer.toString('latin1');
  }

  /** What is wrong with the file, as far as its beginning, its end and some places between them tell; undefined for nothing. */
  private async fault(): Promise<string | undefined> {
    if (this.size === 0) return 'is empty';
    let before = '';
    for (let n = 0; n <= PROBES; n++) {
      const place = Math.floor((n * Math.max(0, this.size - STRETCH)) / PROBES);
      const lines = await this.looked(place);
      if (!lines) return 'holds no SHA-1 in hexadecimal in each line, such as those of "Pwned Passwords"';
      const hashes = lines.map(({ hash }) => hash);
      const isSorted = hashes.every((hash, index) => index === 0 || hashes[index - 1]! <= hash);
      if (!isSorted || (hashes[0] ?? before) < before) {
        return 'is not in the order of its hashes: take the list that is "ordered by hash", or sort it';
      }
      before = hashes[0] ?? before;
    }
    return undefined;
  }

  /** The lines of one stretch; undefined where one of them is none. */
  private async looked(place: number): Promise<{ hash: string }[] | undefined> {
    try {
      return await this.lines(place, Math.min(place + STRETCH, this.size), { isInside: place > 0 });
    } catch (error) {
      if (error instanceof Damaged) return undefined;
      throw error;
    }
  }
}

/** Where the line behind the one at `place` begins: at the end of the text, where there is none. */
function after(text: string, place: number): number {
  const newline = text.indexOf('\n', place);
  return newline === -1 ? text.length : newline + 1;
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex').toUpperCase();
}
