import type { SessionChecks } from './auth/session-checks.ts';
import type { Core } from './core.ts';
import { AnswersUnderWay } from './http/answers-under-way.ts';
import { BodiesUnderWay } from './http/bodies-under-way.ts';
import { Connections } from './http/connections.ts';
import { ForwardingWatch } from './http/forwarding-watch.ts';
import { ProxyTrust } from './http/proxy-trust.ts';
import { type BoundAddress, type Listener, serveHttp } from './http/serve.ts';
import { SECONDS } from './monitoring/metrics.ts';
import type { Part } from './part.ts';
import type { Connection } from './realtime/connection.ts';
import type { RealtimePart } from './realtime/create-realtime.ts';
import { refuseUpgrade, upgrade } from './realtime/upgrade.ts';
import { mountHttp, SOCKET_PATHS } from './routes.ts';

export interface FrontDoorNeeds {
  sessionChecks: SessionChecks;
  realtime: RealtimePart;
  parts: Part[];
}

export interface FrontDoor {
  /** Where it listens, once it is started. */
  readonly address: BoundAddress;
}

/** The one door of the program: every call and every socket comes through it. It opens last, and closes with the sockets. */
export function createFrontDoor(core: Core, { sessionChecks: checks, realtime, parts }: FrontDoorNeeds): FrontDoor {
  const { config, logger, lifecycle, metrics } = core;
  const proxies = new ProxyTrust(config.server.trust_proxy);
  // Whoever tries something out may well look like a proxy.
  const watch =
    config.env === 'prod'
      ? new ForwardingWatch({ proxies, publicUrl: config.server.public_url, log: logger })
      : undefined;
  const answers = countedAnswers(core);
  const bodies = countedBodies(core);
  const httpSeconds = metrics.histogram({
    name: 'parley_http_request_seconds',
    help: 'Time to answer a request, in seconds',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
  });
  for (const { frames } of parts) if (frames) realtime.frameTable.add(frames);
  realtime.frameTable.requireWhole();
  const http = mountHttp(core, {
    checks,
    proxies,
    parts,
    observe: (route, method, status, milliseconds) =>
      httpSeconds.observe({ method, route, status }, milliseconds / 1000),
  });

  let listener: Listener<Connection> | undefined;
  lifecycle.onStart('listener', async () => {
    const takesSockets = config.roles.includes('realtime');
    listener = await serveHttp<Connection>({
      config: config.server,
      log: logger,
      http,
      websocket: realtime.realtime.handler,
      socketPaths: SOCKET_PATHS,
      upgrade: takesSockets ? (...handshake) => upgrade(realtime.handshakes, ...handshake) : refuseUpgrade,
      proxies,
      notice: (peer, headers) => watch?.look(peer, headers),
      connections: new Connections(
        config.rate_limits ? config.server.connections_per_address : Number.POSITIVE_INFINITY,
      ),
      bodies,
      answers,
    });
    realtime.realtime.serveOn(listener.server);
  });
  lifecycle.onStop('finish', 'requests', (graceMs) => listener?.finishRequests(graceMs));
  lifecycle.onStop('hang-up', 'listener', () => listener?.stop());
  return {
    get address() {
      return listener!.address;
    },
  };
}

function countedAnswers({ metrics }: Core): AnswersUnderWay {
  const cut = metrics.counter({
    name: 'parley_cut_answers_total',
    help: 'Long answers that were given up because nobody read them',
  });
  const answers = new AnswersUnderWay(() => cut.inc());
  const help = 'Long answers that are being read by their clients';
  metrics.gauge('parley_answers_under_way', help, () => answers.count);
  return answers;
}

function countedBodies({ config, metrics }: Core): BodiesUnderWay {
  const { body_memory: all, body_memory_per_address: address } = config.server;
  const bodies = new BodiesUnderWay({ all, address: config.rate_limits ? address : Number.POSITIVE_INFINITY });
  metrics.gauge('parley_body_bytes', 'Bytes that bodies of requests under way hold', () => bodies.size);
  return bodies;
}
