import type { Socket } from 'bun';
import { BenchFailure } from '../failure.ts';

export interface RawAnswer {
  status: number;
  body: Buffer;
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** One HTTP request on a connection of its own, on bare TCP (RFC 9112), so that a crowd costs the generator little. */
export async function rawRequest(
  url: string,
  {
    method,
    path,
    headers,
    body = '',
  }: { method: string; path: string; headers: Record<string, string>; body?: string },
): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(url);
  const answer = Promise.withResolvers<RawAnswer>();
  const reader = new AnswerReader(answer.resolve);
  const unsent: { bytes: Buffer } = { bytes: Buffer.from(requestOf(host, method, path, headers, body)) };
  const flush = (tcp: Socket) => {
    const written = tcp.write(unsent.bytes);
    if (written > 0) unsent.bytes = unsent.bytes.subarray(written);
  };
  const tcp = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: flush,
      drain: flush,
      data: (_, chunk) => reader.take(chunk),
      close: () => answer.reject(new BenchFailure(`${method} ${path}: the connection was closed before the answer`)),
      error: (_, error) => answer.reject(error),
    },
  });
  try {
    return await answer.promise;
  } finally {
    tcp.end();
  }
}

function requestOf(host: string, method: string, path: string, headers: Record<string, string>, body: string): string {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Gathers one answer, whose length is told before it or of each of its chunks (RFC 9112 §6.3, §7.1). */
class AnswerReader {
  private readonly pieces: Buffer[] = [];
  private bytes = 0;
  private status = 0;
  private bodyAt = 0;
  /** Of the whole answer; undefined where it comes in chunks. */
  private expected: number | undefined;

  constructor(private readonly done: (answer: RawAnswer) => void) {}

  take(piece: Buffer): void {
    this.pieces.push(Buffer.from(piece));
    this.bytes += piece.length;
    if (this.status === 0) this.readHead();
    if (this.status === 0) return;
    const body = this.expected === undefined ? this.chunkedBody() : this.wholeBody(this.expected);
    if (body) this.done({ status: this.status, body });
  }

  private readHead(): void {
    const all = Buffer.concat(this.pieces);
    const end = all.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const head = all.toString('latin1', 0, end);
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
    const [, length] = /^content-length: *(\d+)$/im.exec(head) ?? [];
    const isChunked = /^transfer-encoding: *chunked$/im.test(head);
    if (!status || (!length && !isChunked)) throw new BenchFailure(`an answer that cannot be read: ${head}`);
    this.status = Number(status);
    this.bodyAt = end + END_OF_HEAD.length;
    if (!isChunked) this.expected = this.bodyAt + Number(length);
  }

  private wholeBody(expected: number): Buffer | undefined {
    return this.bytes < expected ? undefined : Buffer.concat(this.pieces).subarray(this.bodyAt, expected);
  }

  private chunkedBody(): Buffer | undefined {
    // What ends otherwise is surely not all: it is looked through once, and not with each piece.
    const { length } = LAST_CHUNK;
    const ends = this.pieces.slice(-length).map((piece) => piece.subarray(-length));
    if (!Buffer.concat(ends).subarray(-length).equals(LAST_CHUNK)) return undefined;
    const all = Buffer.concat(this.pieces);
    const chunks: Buffer[] = [];
    for (let at = this.bodyAt; ; ) {
      const end = all.indexOf('\r\n', at);
      const size = end < 0 ? Number.NaN : Number.parseInt(all.toString('latin1', at, end), 16);
      const start = end + 2;
      if (Number.isNaN(size) || start + size + 2 > all.length) return undefined;
      if (size === 0) return Buffer.concat(chunks);
      chunks.push(all.subarray(start, start + size));
      at = start + size + 2;
    }
  }
}
