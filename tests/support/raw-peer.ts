import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { TestServer } from './server.ts';

/** What the server answered to a handshake. */
export interface HandshakeAnswer {
  status: number;
  headers: Headers;
  /** The body, where it is JSON; empty after an upgrade. */
  body: any;
}

const HEAD_END = '\r\n\r\n';

/**
 * A client on bare TCP, for what no proper WebSocket does: it never reads, answers no ping, and may write anything. Past the
 * handshake it does not read until `drain` is called.
 */
export class RawPeer {
  private constructor(
    private readonly tcp: Socket,
    readonly answer: HandshakeAnswer,
  ) {
    tcp.on('error', () => {}); // a server that cuts may reset the connection
  }

  /** Sends the handshake and reads its answer, whether it is an upgrade or a refusal. */
  static async open(server: TestServer, path: string, headers: Record<string, string> = {}): Promise<RawPeer> {
    const { hostname, port } = new URL(server.url);
    const tcp = connect({ host: hostname, port: Number(port) });
    const answer = readAnswer(tcp);
    tcp.write(
      [
        `GET ${path} HTTP/1.1`,
        `Host: ${hostname}:${port}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ].join('\r\n') + HEAD_END,
    );
    return new RawPeer(tcp, await answer);
  }

  /** Writes one text frame, with as many others as the system takes. */
  send(text: string): void {
    this.tcp.write(textFrame(text));
  }

  /** Writes text frames at one go. */
  sendAll(texts: string[]): void {
    this.tcp.write(Buffer.concat(texts.map(textFrame)));
  }

  /** Writes bytes as they are, which need be no frame. */
  write(bytes: Buffer): void {
    this.tcp.write(bytes);
  }

  /** Says that nothing more will be written, once all of it is. */
  end(): void {
    this.tcp.end();
  }

  /** Reads whatever there is, unparsed, and resolves with its size when the connection is gone. */
  drain(): Promise<number> {
    let bytes = 0;
    this.tcp.on('data', (chunk) => {
      bytes += chunk.length;
    });
    const gone = new Promise<number>((resolve) => this.tcp.on('close', () => resolve(bytes)));
    this.tcp.resume();
    return gone;
  }

  destroy(): void {
    this.tcp.destroy();
  }
}

/** The answer to a handshake that is not expected to be taken. */
export async function handshake(
  server: TestServer,
  path: string,
  headers: Record<string, string> = {},
): Promise<HandshakeAnswer> {
  const peer = await RawPeer.open(server, path, headers);
  peer.destroy();
  return peer.answer;
}

function readAnswer(tcp: Socket): Promise<HandshakeAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf(HEAD_END);
      if (end < 0) return;
      const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
      const headers = new Headers(lines.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]));
      const status = Number(statusLine.split(' ')[1]);
      const body = text.slice(end + HEAD_END.length);
      if (status !== 101 && body.length < Number(headers.get('content-length'))) return;
      tcp.off('data', read);
      tcp.pause();
      resolve({ status, headers, body: status === 101 || body === '' ? undefined : JSON.parse(body) });
    };
    tcp.on('data', read);
    tcp.once('error', reject);
    tcp.once('close', () => reject(new Error(`no answer to the handshake: ${text}`)));
  });
}

/** A masked text frame (RFC 6455 §5.2); the mask is zero, which a server cannot tell from others. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(payload.length < 126 ? 6 : payload.length < 65_536 ? 8 : 14);
  header[0] = 0x81;
  if (payload.length < 126) header[1] = 0x80 | payload.length;
  else if (payload.length < 65_536) {
    header[1] = 0x80 | 126;
    header.writeUInt16BE(payload.length, 2);
  } else {
    header[1] = 0x80 | 127;
    header.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([header, payload]);
}
