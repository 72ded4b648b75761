/** What reached somebody. */
export interface Heard {
  /** Milliseconds since the Unix epoch. */
  at: number;
  text: string;
  /** The socket that it came through; none: a response. */
  socket?: SocketTrace;
}

/** The life of one socket. */
export interface SocketTrace {
  mode: 'v1' | 'plain';
  openedAt?: number;
  closedAt?: number;
  /** The close code. */
  code?: number;
}

/** All that reached one user, on all devices. */
export class Record {
  readonly heard: Heard[] = [];
  readonly sockets: SocketTrace[] = [];
}

/** Nothing listens there. */
const NOWHERE = 'ws://127.0.0.1:9/';

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/**
 * The network of one device: it writes down every byte that comes, can lose its connections at once, and can be away for
 * a while.
 */
export class Network {
  isDown = false;
  readonly WebSocket: typeof WebSocket;
  private readonly sockets = new Set<WebSocket>();

  constructor(private readonly record: Record) {
    this.WebSocket = this.socketClass();
  }

  readonly fetch: Fetch = async (input, init) => {
    if (this.isDown) throw new TypeError('there is no network');
    const response = await fetch(input, init);
    const text = await response.text();
    this.record.heard.push({ at: Date.now(), text });
    // It came, and nobody was there any more to take it.
    if (this.isDown) throw new TypeError('the network went away');
    return new Response(response.status === 204 ? null : text, { status: response.status, headers: response.headers });
  };

  /** Ends all sockets without a goodbye; returns how many. */
  cut(): number {
    const open = [...this.sockets].filter((socket) => socket.readyState === WebSocket.OPEN);
    for (const socket of open) terminate(socket);
    return open.length;
  }

  goDown(): void {
    this.isDown = true;
    this.cut();
  }

  goUp(): void {
    this.isDown = false;
  }

  private socketClass(): typeof WebSocket {
    const network = this;
    return class RecordedSocket extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(network.isDown ? NOWHERE : url, protocols);
        network.watch(this, protocols === undefined ? 'plain' : 'v1');
      }
    } as typeof WebSocket;
  }

  private watch(socket: WebSocket, mode: 'v1' | 'plain'): void {
    const trace: SocketTrace = { mode };
    const { heard, sockets } = this.record;
    this.sockets.add(socket);
    socket.addEventListener('open', () => {
      trace.openedAt = Date.now();
      sockets.push(trace);
      if (this.isDown) terminate(socket);
    });
    socket.addEventListener('message', ({ data }) => heard.push({ at: Date.now(), text: String(data), socket: trace }));
    socket.addEventListener('close', ({ code }) => {
      trace.closedAt = Date.now();
      trace.code = code;
      this.sockets.delete(socket);
    });
  }
}

/** Ends an open socket without a word to the other side. */
function terminate(socket: WebSocket): void {
  (socket as unknown as { terminate(): void }).terminate();
}
