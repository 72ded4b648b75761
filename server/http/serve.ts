import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Server, WebSocketHandler } from 'bun';
import ipaddr from 'ipaddr.js';
import { ERRORS, type ErrorBody } from '../../protocol/errors.ts';
import { LONG_ANSWER_BYTES, UNREAD_MS } from '../../protocol/limits.ts';
import { type Config, ConfigError } from '../config/config.ts';
import { StartRefused } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { AnswersUnderWay } from './answers-under-way.ts';
import type { BodiesUnderWay } from './bodies-under-way.ts';
import type { Connections } from './connections.ts';
import type { ProxyTrust } from './proxy-trust.ts';
import { requireTarget, withoutHost } from './request-target.ts';
import type { HttpEnv, Router } from './router.ts';

/** Where the server listens. */
export interface BoundAddress {
  host: string;
  port: number;
  /** An address to open on this machine. */
  url: string;
  /** Whether other machines may reach it. */
  isOpen: boolean;
}

export interface ServeOptions<Data> {
  config: Pick<Config['server'], 'host' | 'port'>;
  log: Logger;
  http: Router;
  websocket: WebSocketHandler<Data>;
  /** Where sockets are opened. */
  socketPaths: string[];
  /** Turns a handshake into a socket, or fails with what to answer. */
  upgrade(server: Server<Data>, request: Request, url: URL, connection: Handshake): Promise<void>;
  proxies: ProxyTrust;
  /** Told of each request, and from whom it came. */
  notice(peer: string, headers: Headers): void;
  connections: Connections;
  bodies: BodiesUnderWay;
  answers: AnswersUnderWay;
}

/** What a socket is made of. */
export interface Handshake {
  /** The client's address, proxies seen through. */
  address: string;
  /** Whose it is, once that is known: of one that is refused later, too. */
  userId?: string;
  /** To be called when the socket is gone. */
  close(): void;
}

/** What listens, until it is stopped. */
export interface Listener<Data> {
  server: Server<Data>;
  address: BoundAddress;
  /** Resolves when no request is under way any more, or after `timeoutMs`. */
  finishRequests(timeoutMs: number): Promise<void>;
  /** Cuts what is still there, and listens no more. */
  stop(): Promise<void>;
}

/** Beyond what any body may be, so that up to here the application's own limit answers, in the contract's words. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024;

/**
 * The one place that listens. Fails with `StartRefused` where another program has the port, and with `ConfigError` where
 * the host is none of this machine's.
 */
export async function serveHttp<Data>(options: ServeOptions<Data>): Promise<Listener<Data>> {
  const { config, log, http, websocket, socketPaths, upgrade, proxies, notice, connections, bodies, answers } = options;
  let pending = 0;

  const answer = async (server: Server<Data>, request: Request): Promise<Response | undefined> => {
    const peer = server.requestIP(request)?.address ?? '';
    notice(peer, request.headers);
    const address = proxies.clientAddress(peer, request.headers);
    const env: HttpEnv['Bindings'] = {
      peer,
      address,
      send(body, accountId) {
        // Handed over whole: the runtime holds what of it is not read, and cuts it as it cuts others.
        if (body.length <= LONG_ANSWER_BYTES) return streamOf(body);
        env.sending = answers.send(body, accountId);
        return env.sending.stream;
      },
    };
    try {
      requireTarget(request);
    } catch (error) {
      env.malformed = error;
      return http.fetch(withoutHost(request), env);
    }
    let close = () => {};
    try {
      close = connections.open(address);
      env.body = bodies.open(request, address);
    } catch (error) {
      env.refused = error;
    }
    if (!env.refused && request.headers.get('upgrade')?.toLowerCase() === 'websocket') {
      const url = URL.parse(request.url); // null where a CONNECT names what is no address
      if (url && socketPaths.includes(url.pathname)) {
        const handshake: Handshake = { address, close };
        try {
          await upgrade(server, request, url, handshake);
          env.body?.release();
          return undefined;
        } catch (error) {
          env.refusal = error; // told by the route of that path, like every other failure
          env.refusedId = handshake.userId;
        }
      }
    }
    try {
      const response = await http.fetch(request, env);
      // From here on only its reader is waited for.
      if (!env.sending) server.timeout(request, UNREAD_MS / 1000);
      return response;
    } finally {
      env.body?.release();
      if (env.sending) void env.sending.gone.then(close);
      else close();
    }
  };

  const server = await listen<Data>({
    hostname: config.host,
    port: config.port,
    maxRequestBodySize: MAX_REQUEST_BYTES,
    idleTimeout: 30,
    development: false, // whose error page tells everybody of the inside
    websocket,
    async fetch(request, self) {
      pending++;
      try {
        return await answer(self, request);
      } finally {
        pending--;
      }
    },
    error: (error) => answerUncaught(error, log),
  });
  const port = server.port!;
  const reachable = config.host === '0.0.0.0' || config.host === '::' ? 'localhost' : config.host;
  return {
    server,
    address: { host: config.host, port, url: `http://${reachable}:${port}`, isOpen: !isLoopback(config.host) },
    async finishRequests(timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      while (pending > 0 && Date.now() < deadline) await Bun.sleep(10);
    },
    stop: () => server.stop(true),
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || (ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback');
}

/** What got past the application, in the shape of every failure. */
function answerUncaught(error: unknown, log: Logger): Response {
  const body: ErrorBody = { code: 'internal', message: ERRORS.internal.message, request_id: crypto.randomUUID() };
  log.error({ err: error, request_id: body.request_id }, 'request failed');
  const headers = { 'X-Request-Id': body.request_id, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };
  return Response.json(body, { status: ERRORS.internal.status, headers });
}

function streamOf(body: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(body);
      controller.close();
    },
  });
}

async function listen<Data>(options: Bun.Serve.Options<Data> & Address): Promise<Server<Data>> {
  // Without `development` Bun shares a port that is taken, and the kernel deals connections out among the programs.
  return explainRefusal(options, () => Bun.serve({ ...options, reusePort: false }));
}

/**
 * Tries the address before anything is opened, so that a start that is refused leaves the data as it was. Fails like
 * `serveHttp`.
 */
export async function requireFreeAddress({ host: hostname, port }: Pick<Config['server'], 'host' | 'port'>) {
  const tried = await explainRefusal({ hostname, port }, () => Bun.listen({ hostname, port, socket: { data() {} } }));
  tried.stop(true);
}

interface Address {
  hostname: string;
  port: number;
}

async function explainRefusal<T>({ hostname, port }: Address, bind: () => T): Promise<T> {
  try {
    if (isIP(hostname) === 0) await lookup(hostname); // of a name that is none Bun says that the port is taken
    return bind();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new StartRefused(`${hostname}:${port} is taken: another program listens there; set SERVER_PORT, or end it`);
    }
    throw new ConfigError(`SERVER_HOST and SERVER_PORT: cannot listen on ${hostname}:${port}: ${message}`);
  }
}
