import { createAuthenticate } from './auth/authenticate.ts';
import type { SessionChecks } from './auth/session-checks.ts';
import { showsDocuments } from './config/config.ts';
import type { Core } from './core.ts';
import { answerUnknownRoutes, createHttpApp, type HttpOptions } from './http/http-app.ts';
import type { ProxyTrust } from './http/proxy-trust.ts';
import { PAGES, ReadTurns, SYNCS } from './http/read-turns.ts';
import { refuseApi } from './http/refuse-api.ts';
import type { Router } from './http/router.ts';
import { monitoringRoutes } from './monitoring/routes.ts';
import { mountAsyncApi } from './pages/asyncapi.ts';
import { mountOpenApi } from './pages/openapi.ts';
import { pageRoutes } from './pages/routes.ts';
import type { Part } from './part.ts';
import { ParleyError } from './shared/errors.ts';
import { SampledLines } from './shared/sampled-lines.ts';

/** The second is for who puts a proxy before `/api` only. */
export const SOCKET_PATHS = ['/ws', '/api/v1/ws'];

export interface HttpNeeds extends Pick<HttpOptions, 'observe'> {
  checks: SessionChecks;
  proxies: ProxyTrust;
  parts: Part[];
}

/** Every address that a node of these roles answers over HTTP. */
export function mountHttp(core: Core, { checks, proxies, parts, observe }: HttpNeeds): Router {
  const { config, version, logger, lifecycle, metrics, limits, origins } = core;
  const refusals = new SampledLines((left_out) =>
    logger.info({ left_out }, 'requests were refused beside those above'),
  );
  lifecycle.onStop('close', 'refusals', () => refusals.stop());
  const turns = { page: new ReadTurns(PAGES), sync: new ReadTurns(SYNCS) };
  const http = createHttpApp({
    log: logger,
    refusals,
    origins,
    proxies,
    authenticate: createAuthenticate(checks, origins),
    requireFreshProof: (sessionId) => checks.requireFreshProof(sessionId),
    takeLimit: (name, key) => limits[name]?.take(key),
    beginRead: (accountId, kind) => turns[kind].take(accountId),
    isDraining: () => lifecycle.isStopping,
    observe,
    failed: (code) => metrics.failed(code),
  });
  const isApi = config.roles.includes('api');
  if (isApi) for (const router of parts.flatMap(({ routes = [] }) => routes)) http.route('/', router);
  mountMonitoring(http, core, parts);
  for (const path of SOCKET_PATHS) {
    http.get(path, (c) => {
      throw c.env.refusal ?? new ParleyError('upgrade_required');
    });
  }
  if (isApi) {
    const documents = showsDocuments(config);
    http.route('/', pageRoutes({ version, documents }));
    if (documents) {
      mountOpenApi(http, version);
      mountAsyncApi(http, version);
    }
  } else {
    refuseApi(http);
  }
  answerUnknownRoutes(http, (code) => metrics.failed(code));
  return http;
}

function mountMonitoring(http: Router, core: Core, parts: Part[]): void {
  const { config, version, logger, lifecycle, metrics, database, redis } = core;
  const needed = Object.assign({ database: () => database.check() }, ...parts.map((part) => part.checks));
  const redisCheck = redis && { redis: () => redis.check() };
  const optionalChecks = Object.assign({}, redisCheck, ...parts.map((part) => part.optionalChecks));
  const needs = [...Object.keys(needed), ...Object.keys(optionalChecks)];
  http.route(
    '/',
    monitoringRoutes({
      documents: config.roles.includes('api') && showsDocuments(config),
      version,
      log: logger,
      metrics,
      intervalMs: config.monitoring.interval,
      metricsToken: config.monitoring.metrics_token,
      roles: Object.fromEntries(config.roles.map((role) => [role, needs])),
      checks: needed,
      optionalChecks,
      isDraining: () => lifecycle.isStopping,
    }),
  );
}
