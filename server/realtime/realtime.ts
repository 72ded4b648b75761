import type { Server, WebSocketHandler } from 'bun';
import { CLOSE } from '../../protocol/close-codes.ts';
import { MAX_BACKLOG_BYTES, MAX_FRAME_BYTES } from '../../protocol/limits.ts';
import type { SessionChecks } from '../auth/session-checks.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { Connection } from './connection.ts';
import type { FrameBudgets } from './frame-budget.ts';
import type { Hub } from './hub.ts';
import type { Presence } from './presence.ts';
import type { TypingSignals } from './typing.ts';

export interface RealtimeOptions {
  hub: Hub;
  presence: Presence;
  typing: TypingSignals;
  checks: Pick<SessionChecks, 'checkSession' | 'isBelieved'>;
  budgets?: FrameBudgets;
  log: Logger;
  /** Time between pings, in milliseconds; two of them in silence end a socket. */
  heartbeatMs: number;
  /** Characters that a message may have: clients are told. */
  maxMessageLength: number;
  /** Which history the log tells (PROTOCOL.md §7.4). */
  epoch: { readonly current: string };
}

/** After how long the clients of a server that goes are told to come back, spread so that they do not come at once. */
const RETRY_MS = { min: 200, spread: 1800 };

/** The life of sockets: opened, kept alive, cut when silent or when their session is over, and sent home at the stop. */
export class Realtime {
  private readonly sweeper: Timer;

  constructor(private readonly options: RealtimeOptions) {
    this.sweeper = setInterval(() => this.sweep(Date.now()), options.heartbeatMs / 2);
  }

  /** What Bun calls for each socket. */
  readonly handler: WebSocketHandler<Connection> = {
    maxPayloadLength: MAX_FRAME_BYTES,
    backpressureLimit: MAX_BACKLOG_BYTES,
    closeOnBackpressureLimit: true,
    perMessageDeflate: false,
    // Bun's own time-out does not notice a dead peer that is being written to; `sweep` does.
    idleTimeout: 0,
    sendPings: false,
    open: (socket) => this.open(socket.data, socket),
    message: (socket, frame) => socket.data.receive(frame),
    ping: (socket, data) => socket.data.heard(data),
    pong: (socket, data) => socket.data.heard(data),
    close: (socket, code, reason) => {
      socket.data.gone(code, reason);
      socket.data.options.onGone();
      this.close(socket.data);
    },
  };

  serveOn(server: Server<Connection>): void {
    this.options.hub.serveOn(server);
  }

  /** Tells every connection that this server is about to go. */
  announceDraining(): void {
    for (const connection of this.options.hub.allConnections()) {
      const retry_in_ms = RETRY_MS.min + Math.round(Math.random() * RETRY_MS.spread);
      if (!connection.isPlain) connection.send({ event: 'draining', retry_in_ms });
    }
  }

  /** Closes every socket with 1012. */
  closeAll(): void {
    clearInterval(this.sweeper);
    for (const connection of [...this.options.hub.allConnections()]) connection.close(CLOSE.RESTARTING);
    this.options.hub.stop();
  }

  private open(connection: Connection, socket: Connection['socket']): void {
    connection.socket = socket;
    this.options.hub.open(connection);
    this.options.presence.arrived(connection.user.id);
    if (!connection.isPlain) {
      connection.send({
        event: 'ready',
        user_id: connection.user.id,
        session_id: connection.options.sessionId,
        server_time: Date.now(),
        heartbeat_ms: this.options.heartbeatMs,
        max_message_length: this.options.maxMessageLength,
        epoch: this.options.epoch.current,
      });
    }
    // It may have ended while the handshake was under way, before this socket could hear of it.
    if (!this.options.checks.isBelieved(connection.options.sessionId)) this.checkSession(connection);
  }

  private close(connection: Connection): void {
    const { hub, presence, typing } = this.options;
    if (connection.user.sockets.size === 1) typing.stopAll(connection.user);
    presence.left(connection);
    hub.close(connection);
  }

  private sweep(now: number): void {
    const { heartbeatMs, hub, budgets } = this.options;
    budgets?.sweep(performance.now());
    for (const connection of [...hub.allConnections()]) {
      if (now - connection.lastHeard > 2 * heartbeatMs) connection.cut();
      else if (now >= connection.options.expiresAt) this.checkSession(connection);
      else if (now - connection.lastPing >= heartbeatMs) connection.ping(now);
    }
  }

  /** Looks again at the sessions of somebody's sockets: there may be something to do first, or a second factor to show. */
  recheck(userId: string): void {
    for (const connection of this.options.hub.connectionsOf(userId)) this.checkSession(connection);
  }

  /** Closes the socket of a session that is over; one that was refreshed meanwhile goes on. */
  private checkSession(connection: Connection): void {
    const { checks, log } = this.options;
    checks.checkSession(connection.options.sessionId).then(
      (session) => {
        if (session.restriction) connection.close(CLOSE.SESSION_OVER);
        else connection.options.expiresAt = session.expiresAt;
      },
      (error) => {
        if (error instanceof ParleyError && error.status === 401) connection.close(CLOSE.SESSION_OVER);
        // Whatever else went wrong, the next sweep asks again.
        else log.warn({ err: error }, 'a session could not be checked');
      },
    );
  }
}
