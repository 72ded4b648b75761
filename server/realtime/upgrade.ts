import type { Server } from 'bun';
import { MAX_SOCKETS_PER_USER, SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from '../../protocol/limits.ts';
import { assertMayUseCookies, bearerToken } from '../auth/authenticate.ts';
import { accessCookie } from '../auth/cookies.ts';
import type { SessionChecks } from '../auth/session-checks.ts';
import type { OriginPolicy } from '../http/origin.ts';
import type { Handshake } from '../http/serve.ts';
import { addressKey, type RateLimits } from '../limits/rate-limits.ts';
import { ParleyError } from '../shared/errors.ts';
import { RESTRICTED } from '../shared/restriction.ts';
import { Connection, type ConnectionDeps } from './connection.ts';
import type { Hub } from './hub.ts';

/** After how long one of too many sockets may be gone, in milliseconds. */
const RETRY_MS = 30_000;

export interface UpgradeDeps {
  checks: Pick<SessionChecks, 'authenticate'>;
  hub: Hub;
  limits: Pick<RateLimits, 'handshakes' | 'handshakes_account'>;
  origins: OriginPolicy;
  /** Whether `?token=` opens a socket. */
  queryToken: boolean;
  connection: ConnectionDeps;
}

/**
 * Answers the handshake of a WebSocket (PROTOCOL.md §6). Whoever gets through is known by a session that holds, and hears
 * all of their conversations from the first moment. Fails with what is then told over HTTP, before any upgrade.
 */
export async function upgrade(
  deps: UpgradeDeps,
  server: Server<Connection>,
  request: Request,
  url: URL,
  handshake: Handshake,
): Promise<void> {
  const { address, close } = handshake;
  if (deps.connection.isDraining()) throw new ParleyError('unavailable', 'This server is about to restart');
  // Before anything is looked at that costs more than the handshake itself.
  await deps.limits.handshakes?.take(addressKey(address));
  const protocols = offeredProtocols(request.headers);
  const session = await deps.checks.authenticate(findToken(deps, request.headers, protocols, url));
  handshake.userId = session.userId;
  await deps.limits.handshakes_account?.take(session.userId);
  if (session.restriction) throw new ParleyError(RESTRICTED[session.restriction]);

  const user = await deps.hub.prepare(session.userId, session.username);
  if (user.uses > MAX_SOCKETS_PER_USER) {
    deps.hub.abandon(user);
    const message = `More than ${MAX_SOCKETS_PER_USER} sockets of one account`;
    throw new ParleyError('rate_limited', message, { retryAfterMs: RETRY_MS });
  }
  const mode = protocols.includes(SUBPROTOCOL) ? 'v1' : 'plain';
  const { sessionId, expiresAt } = session;
  const echo = url.searchParams.get('echo') === 'true';
  const requestId = crypto.randomUUID();
  const options = { mode, echo, sessionId, expiresAt, address, requestId, onGone: close } as const;
  const data = new Connection(user, options, deps.connection);
  const headers = new Headers({ 'X-Request-Id': requestId });
  if (mode === 'v1') headers.set('Sec-WebSocket-Protocol', SUBPROTOCOL);
  if (!server.upgrade(request, { data, headers })) {
    data.ended();
    deps.hub.abandon(user);
    throw new ParleyError('upgrade_required', 'The WebSocket handshake is not valid');
  }
  // As every other request's line; the path without its query: a token may be there.
  const line = { method: 'GET', path: url.pathname, status: 101, address, user_id: session.userId };
  deps.connection.log.info({ request_id: requestId, ...line, mode }, 'request');
}

/** Answers every handshake on a node that takes no sockets. Whoever was sent here tries again, and another node answers. */
export async function refuseUpgrade(): Promise<never> {
  throw new ParleyError('unavailable', 'This node takes no sockets: another one does');
}

function offeredProtocols(headers: Headers): string[] {
  return (headers.get('sec-websocket-protocol') ?? '').split(',').map((one) => one.trim());
}

/** A token that was sent on purpose wins over the cookie that a browser sends by itself. */
function findToken(deps: UpgradeDeps, headers: Headers, protocols: string[], url: URL): string {
  const bearer = bearerToken(headers);
  if (bearer !== undefined) return bearer;
  const inProtocol = protocols.find((one) => one.startsWith(TOKEN_SUBPROTOCOL_PREFIX));
  // The answer names one of the protocols that were offered, and must never name the token.
  if (inProtocol && !protocols.includes(SUBPROTOCOL)) {
    throw new ParleyError('validation_failed', `Offer ${SUBPROTOCOL} beside the token`);
  }
  if (inProtocol) return inProtocol.slice(TOKEN_SUBPROTOCOL_PREFIX.length);
  const inQuery = deps.queryToken ? url.searchParams.get('token') : null;
  if (inQuery) return inQuery;
  const cookie = accessCookie(headers);
  if (cookie === undefined) throw new ParleyError('missing_token');
  assertMayUseCookies(deps.origins, headers);
  return cookie;
}
