import type { Socket } from 'bun';
import { BenchFailure } from '../failure.ts';

export interface RawAnswer {
  status: number;
  body: Buffer;
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');

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

/** Gathers one answer whose length is told. */
class AnswerReader {
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private expected = Number.POSITIVE_INFINITY;
  private bodyAt = 0;
  private status = 0;

  constructor(private readonly done: (answer: RawAnswer) => void) {}

  take(chunk: Buffer): void {
    this.chunks.push(Buffer.from(chunk));
    this.bytes += chunk.length;
    if (this.status === 0) this.readHead();
    if (this.bytes < this.expected) return;
    this.done({ status: this.status, body: Buffer.concat(this.chunks).subarray(this.bodyAt, this.expected) });
  }

  private readHead(): void {
    const all = Buffer.concat(this.chunks);
    const end = all.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const head = all.toString('latin1', 0, end);
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
    const [, length] = /^content-length: *(\d+)$/im.exec(head) ?? [];
    if (!status || !length) throw new BenchFailure(`an answer that cannot be read: ${head}`);
    this.status = Number(status);
    this.bodyAt = end + END_OF_HEAD.length;
    this.expected = this.bodyAt + Number(length);
  }
}
