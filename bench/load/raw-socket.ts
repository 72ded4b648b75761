import type { Socket } from 'bun';
import { BenchFailure } from '../failure.ts';
import type { Connection } from './plan.ts';

enum Opcode {
  Text = 1,
  Close = 8,
  Ping = 9,
  Pong = 10,
}

export interface Listener {
  /** A text frame: `bytes` from `start` to `end`, to be read before returning. */
  text(bytes: Buffer, start: number, end: number): void;
  /** The connection is gone, with the server's close code where it sent one. */
  closed(code: number | undefined): void;
}

/**
 * A WebSocket client on bare TCP (RFC 6455), for a load generator: frames are read where they arrived, without a string
 * or an event object for each, so that one core can listen to a million of them a second. What is written while a
 * chunk of frames is being read leaves in one write after it. Masks are zero, which a server cannot tell from others.
 */
export class RawSocket {
  isOpen = false;
  private tcp!: Socket;
  private rest: Buffer | undefined;
  private outgoing: Buffer = Buffer.allocUnsafe(1024);
  private outgoingBytes = 0;
  private reading = false;
  private onOpen!: () => void;
  private onRefused!: (error: Error) => void;
  private closeCode: number | undefined;
  private closing = false;

  private constructor(
    private readonly where: string,
    private readonly listener: Listener,
  ) {}

  /** Opens a WebSocket; resolves after the upgrade, fails where it is refused. */
  static async open(url: string, connection: Connection, listener: Listener): Promise<RawSocket> {
    const { hostname, port, host } = new URL(url);
    const socket = new RawSocket(`${url}${connection.path}`, listener);
    const upgraded = new Promise<void>((resolve, reject) => {
      socket.onOpen = resolve;
      socket.onRefused = reject;
    });
    socket.tcp = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_, chunk) => socket.receive(chunk),
        drain: () => socket.flush(),
        close: () => socket.ended(),
        error: (_, error) => socket.failed(error),
      },
    });
    socket.tcp.setNoDelay(true);
    socket.tcp.write(upgradeRequest(host, connection));
    await upgraded;
    return socket;
  }

  /** Sends a finished frame, now or with what else the chunk being read brings about. */
  send(frame: Buffer): void {
    if (this.outgoingBytes + frame.length > this.outgoing.length) {
      const larger = Buffer.allocUnsafe(2 * (this.outgoingBytes + frame.length));
      this.outgoing.copy(larger, 0, 0, this.outgoingBytes);
      this.outgoing = larger;
    }
    frame.copy(this.outgoing, this.outgoingBytes);
    this.outgoingBytes += frame.length;
    if (!this.reading) this.flush();
  }

  sendText(text: string): void {
    this.send(clientFrame(Buffer.from(text)));
  }

  /** Closes normally; `Listener.closed` is not called. */
  close(): void {
    this.closing = true;
    this.send(clientFrame(Buffer.from([0x03, 0xe8]), Opcode.Close));
    this.tcp.end();
  }

  private flush(): void {
    if (this.outgoingBytes === 0) return;
    const written = this.tcp.write(this.outgoing.subarray(0, this.outgoingBytes));
    if (written > 0) {
      this.outgoing.copyWithin(0, written, this.outgoingBytes);
      this.outgoingBytes -= written;
    }
  }

  private receive(chunk: Buffer): void {
    let bytes = this.rest ? Buffer.concat([this.rest, chunk]) : chunk;
    this.rest = undefined;
    if (!this.isOpen) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) {
        this.rest = bytes;
        return;
      }
      const answer = bytes.toString('latin1', 0, end);
      if (!answer.startsWith('HTTP/1.1 101 ')) {
        this.onRefused(new BenchFailure(`${this.where} refused: ${bytes.toString('utf8').slice(0, 600)}`));
        return;
      }
      this.isOpen = true;
      this.onOpen();
      bytes = bytes.subarray(end + 4);
    }
    this.reading = true;
    const read = this.readFrames(bytes);
    this.reading = false;
    // A copy: what is left of a frame must not keep its whole chunk in memory.
    if (read < bytes.length) this.rest = Buffer.from(bytes.subarray(read));
    this.flush();
  }

  /** Reads all whole frames and returns where the first unfinished one begins. */
  private readFrames(bytes: Buffer): number {
    let at = 0;
    while (bytes.length - at >= 2) {
      let length = bytes[at + 1]! & 0x7f;
      let body = at + 2;
      if (length === 126) {
        if (bytes.length - at < 4) break;
        length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
        body = at + 4;
      } else if (length === 127) {
        if (bytes.length - at < 10) break;
        length = bytes.readUInt32BE(at + 6);
        body = at + 10;
      }
      if (bytes.length - body < length) break;
      this.readFrame(bytes[at]!, bytes, body, body + length);
      at = body + length;
    }
    return at;
  }

  private readFrame(head: number, bytes: Buffer, start: number, end: number): void {
    if (head === (0x80 | Opcode.Text)) this.listener.text(bytes, start, end);
    else if (head === (0x80 | Opcode.Ping)) this.send(clientFrame(bytes.subarray(start, end), Opcode.Pong));
    else if (head === (0x80 | Opcode.Close)) this.closeCode = end - start >= 2 ? bytes.readUInt16BE(start) : 1005;
    else if (head !== (0x80 | Opcode.Pong)) throw new BenchFailure(`a frame that starts with 0x${head.toString(16)}`);
  }

  /** Bun hands over here what a listener throws while it reads. */
  private failed(error: Error): void {
    if (this.isOpen) throwUncaught(error);
    else this.onRefused(error);
  }

  private ended(): void {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    if (!wasOpen) this.onRefused(new BenchFailure(`${this.where}: the connection was closed before the upgrade`));
    else if (!this.closing) this.listener.closed(this.closeCode);
  }
}

/** For what is thrown inside a callback of a socket, which Bun would keep to itself: a failure must not end in silence. */
export function throwUncaught(error: Error): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** A whole masked frame; the mask is zero, so that the payload stands in it as it is. */
export function clientFrame(payload: Buffer, opcode: number = Opcode.Text): Buffer {
  const isShort = payload.length < 126;
  const header = Buffer.alloc(isShort ? 6 : 8);
  header[0] = 0x80 | opcode;
  if (isShort) header[1] = 0x80 | payload.length;
  else {
    header[1] = 0x80 | 126;
    header.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([header, payload]);
}

function upgradeRequest(host: string, { path, headers }: Connection): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
