import { connect, type Socket } from 'node:net';

/** What came back; `code` and `body` of what is JSON. */
export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
  body: any;
}

/** A request on bare TCP, byte for byte as a test writes it: for what no proper client sends, and in whatever time. */
export class RawRequest {
  /** Its first answer. Fails where the connection ends without one. */
  readonly answer: Promise<RawAnswer>;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  private readonly tcp: Socket;
  private received = '';

  constructor({ url }: { url: string }, text = '') {
    const { hostname, port } = new URL(url);
    this.tcp = connect({ host: hostname, port: Number(port) });
    this.tcp.on('error', () => {}); // a server that cuts may reset the connection
    this.closed = new Promise((resolve) => this.tcp.on('close', () => resolve()));
    this.answer = new Promise((resolve, reject) => {
      this.tcp.on('data', (chunk) => {
        this.received += chunk.toString('latin1');
        const answer = readAnswer(this.received);
        if (answer) resolve(answer);
      });
      void this.closed.then(() => reject(new Error(`no answer but ${JSON.stringify(this.received)}`)));
    });
    this.answer.catch(() => {}); // told to whoever waits for it
    this.write(text);
  }

  /** Writes bytes as they are, a character each. */
  write(bytes: string | Buffer): void {
    this.tcp.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  destroy(): void {
    this.tcp.destroy();
  }
}

/** One request that is whole, and its answer. */
export async function sendRaw(server: { url: string }, text: string): Promise<RawAnswer> {
  const request = new RawRequest(server, text);
  try {
    return await request.answer;
  } finally {
    request.destroy();
  }
}

/** Undefined until it is whole. */
function readAnswer(received: string): RawAnswer | undefined {
  const [head = '', ...rest] = received.split('\r\n\r\n');
  if (rest.length === 0) return undefined;
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2) as [string, string]));
  const text = rest.join('\r\n\r\n');
  if (text.length < Number(headers.get('content-length') ?? 0)) return undefined;
  const isJson = headers.get('content-type')?.includes('json') && text.startsWith('{') && text.endsWith('}');
  return { status: Number(statusLine.split(' ')[1]), headers, text, body: isJson ? JSON.parse(text) : undefined };
}
