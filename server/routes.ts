import { createAuthenticate } from './auth/authenticate.ts';
import { SessionCookies } from './auth/cookies.ts';
import { authRoutes } from './auth/routes.ts';
import type { AuthService } from './auth/service.ts';
import type { Tokens } from './auth/tokens.ts';
import { conversationRoutes } from './chat/conversation-routes.ts';
import { messageRoutes } from './chat/message-routes.ts';
import type { ChatService } from './chat/service.ts';
import type { Config } from './config/config.ts';
import type { Database } from './database/database.ts';
import { answerUnknownRoutes, createHttpApp } from './http/http-app.ts';
import type { OriginPolicy } from './http/origin.ts';
import type { ProxyTrust } from './http/proxy-trust.ts';
import { PAGES, ReadTurns, SYNCS } from './http/read-turns.ts';
import { refuseApi } from './http/refuse-api.ts';
import type { Router } from './http/router.ts';
import type { RateLimits } from './limits/rate-limits.ts';
import type { Metrics } from './monitoring/metrics.ts';
import { monitoringRoutes } from './monitoring/routes.ts';
import { mountAsyncApi } from './pages/asyncapi.ts';
import { mountOpenApi } from './pages/openapi.ts';
import { pageRoutes } from './pages/routes.ts';
import type { Redis } from './redis/redis.ts';
import { ParleyError } from './shared/errors.ts';
import type { Logger } from './shared/logger.ts';
import { usersRoutes } from './users/routes.ts';
import type { UsersService } from './users/service.ts';

/** The second is for who puts a proxy before `/api` only. */
export const SOCKET_PATHS = ['/ws', '/api/v1/ws'];

export interface HttpParts {
  config: Config;
  version: string;
  log: Logger;
  auth: AuthService;
  users: UsersService;
  tokens: Tokens;
  chat: ChatService;
  limits: RateLimits;
  origins: OriginPolicy;
  proxies: ProxyTrust;
  metrics: Metrics;
  database: Database;
  redis?: Redis;
  /** Whether the server is about to go, and takes no new work. */
  isDraining(): boolean;
}

/** Every address that a node of these roles answers over HTTP. */
export function mountHttp(parts: HttpParts): Router {
  const { config, version, log, auth, users, tokens, chat, limits, origins, proxies, metrics, isDraining } = parts;
  const turns = { page: new ReadTurns(PAGES), sync: new ReadTurns(SYNCS) };
  const http = createHttpApp({
    log,
    origins,
    proxies,
    authenticate: createAuthenticate(auth, origins),
    takeLimit: (name, key) => limits[name]?.take(key),
    beginRead: async (accountId, kind) => {
      await limits.reads?.take(accountId);
      return turns[kind].take(accountId);
    },
    isDraining,
    observe: (route, method, status, milliseconds) => metrics.requested(route, method, status, milliseconds),
    failed: (code) => metrics.failed(code),
  });
  const isApi = config.roles.includes('api');
  if (isApi) {
    const cookies = new SessionCookies(config.server.public_url);
    http.route('/', authRoutes({ auth, users, tokens, cookies, origins }));
    http.route('/', usersRoutes(users));
    http.route('/', conversationRoutes(chat));
    http.route('/', messageRoutes(chat));
  }
  mountMonitoring(http, parts);
  for (const path of SOCKET_PATHS) {
    http.get(path, (c) => {
      throw c.env.refusal ?? new ParleyError('upgrade_required');
    });
  }
  if (isApi) {
    http.route('/', pageRoutes({ version }));
    mountOpenApi(http, version);
    mountAsyncApi(http, version);
  } else {
    refuseApi(http);
  }
  answerUnknownRoutes(http, (code) => metrics.failed(code));
  return http;
}

function mountMonitoring(http: Router, parts: HttpParts): void {
  const { config, version, log, metrics, database, redis, isDraining } = parts;
  const needs = redis ? ['database', 'redis'] : ['database'];
  http.route(
    '/',
    monitoringRoutes({
      env: config.env,
      version,
      log,
      metrics,
      metricsToken: config.monitoring.metrics_token,
      roles: Object.fromEntries(config.roles.map((role) => [role, needs])),
      checks: { database: () => database.check() },
      optionalChecks: redis ? { redis: () => redis.check() } : {},
      isDraining,
    }),
  );
}
