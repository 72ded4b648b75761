import type { Server, WebSocketHandler } from 'bun';
import { ERRORS, type ErrorBody } from '../../protocol/errors.ts';
import { type Config, ConfigError } from '../config.ts';
import type { Logger } from '../monitoring/logger.ts';
import { withBody } from './empty-body.ts';
import type { HttpEnv, Router } from './router.ts';

/** Where the server listens. */
export interface BoundAddress {
  host: string;
  port: number;
  /** An address to open on this machine. */
  url: string;
}

export interface ServeOptions<Data> {
  config: Pick<Config['server'], 'host' | 'port'>;
  log: Logger;
  http: Router;
  websocket: WebSocketHandler<Data>;
  /** Where sockets are opened. */
  socketPaths: string[];
  /** Turns a handshake into a socket, or fails with what to answer. */
  upgrade(server: Server<Data>, request: Request, url: URL): Promise<void>;
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

/** The one place that listens. */
export function serveHttp<Data>(options: ServeOptions<Data>): Listener<Data> {
  const { config, log, http, websocket, socketPaths, upgrade } = options;
  let pending = 0;

  const answer = async (server: Server<Data>, request: Request): Promise<Response | undefined> => {
    const env: HttpEnv['Bindings'] = { peer: server.requestIP(request)?.address ?? '' };
    if (request.headers.get('upgrade')?.toLowerCase() === 'websocket') {
      const url = URL.parse(request.url); // null where the client's Host is none
      if (url && socketPaths.includes(url.pathname)) {
        try {
          await upgrade(server, request, url);
          return undefined;
        } catch (error) {
          env.refusal = error; // told by the route of that path, like every other failure
        }
      }
    }
    return http.fetch(withBody(request), env);
  };

  const server = listen<Data>({
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
    address: { host: config.host, port, url: `http://${reachable}:${port}` },
    async finishRequests(timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      while (pending > 0 && Date.now() < deadline) await Bun.sleep(10);
    },
    stop: () => server.stop(true),
  };
}

/** What got past the application, in the shape of every failure. */
function answerUncaught(error: unknown, log: Logger): Response {
  const body: ErrorBody = { code: 'internal', message: ERRORS.internal.message, request_id: crypto.randomUUID() };
  log.error({ err: error, request_id: body.request_id }, 'request failed');
  return Response.json(body, { status: ERRORS.internal.status, headers: { 'X-Request-Id': body.request_id } });
}

function listen<Data>(options: Bun.Serve.Options<Data>): Server<Data> {
  try {
    return Bun.serve(options);
  } catch (error) {
    const { hostname, port } = options as { hostname: string; port: number };
    throw new ConfigError(
      `SERVER_HOST and SERVER_PORT: cannot listen on ${hostname}:${port}: ${(error as Error).message}`,
    );
  }
}
