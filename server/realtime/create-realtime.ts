import type { SessionChecks } from '../auth/session-checks.ts';
import { OutboxReader } from '../bus/outbox-reader.ts';
import type { Core } from '../core.ts';
import type { Part } from '../part.ts';
import type { Actor } from '../shared/actor.ts';
import type { ConnectionDeps } from './connection.ts';
import type { ConversationSource } from './conversation-source.ts';
import { FrameBudgets, NO_LIMIT } from './frame-budget.ts';
import { FrameTable, realtimeFrames } from './frames.ts';
import { Hub } from './hub.ts';
import { InTurn } from './in-turn.ts';
import { Presence } from './presence.ts';
import { PresenceRepository } from './presence-repository.ts';
import { Realtime } from './realtime.ts';
import { SharedPresence } from './shared-presence.ts';
import { Turns } from './turns.ts';
import { TypingSignals } from './typing.ts';
import type { UpgradeDeps } from './upgrade.ts';

/** Rows of the outbox that nobody needs any more are deleted so often, in milliseconds. */
const OUTBOX_SWEEP_MS = 60_000;

export interface RealtimeNeeds {
  sessionChecks: SessionChecks;
  source: ConversationSource;
  /** Fails with `conversation_not_found` for who is not in a conversation. */
  requireMembership(actor: Actor, conversationId: string): Promise<unknown>;
}

export interface RealtimePart extends Part {
  realtime: Realtime;
  /** What a handshake needs to become a socket. */
  handshakes: UpgradeDeps;
  /** The frames of all parts, once they are all there. */
  frameTable: FrameTable;
}

/** Sockets, and what they are told: conversations live, who types, who is there. */
export function createRealtime(
  core: Core,
  { sessionChecks: checks, source, requireMembership }: RealtimeNeeds,
): RealtimePart {
  const { config, logger, lifecycle, metrics, database, bus, redis, limits, epoch, origins } = core;
  const turns = new Turns();
  const inTurn = new InTurn();
  const budgets = config.rate_limits ? new FrameBudgets() : undefined;
  const hub = new Hub({ bus, log: logger, turns, epoch, ...source });
  const outbox = new OutboxReader(database, bus, hub, logger);
  const shared = redis && new SharedPresence(redis, logger);
  const presence = new Presence(new PresenceRepository(database), bus, logger, shared);
  const typing = new TypingSignals(bus, limits.typing);
  const realtime = new Realtime({
    hub,
    presence,
    typing,
    budgets,
    checks,
    log: logger,
    heartbeatMs: config.websocket.heartbeat,
    maxMessageLength: config.chat.max_message_length,
    epoch,
  });
  bus.subscribe('accounts', (news) => {
    if (news.kind === 'user_changed') realtime.recheck(news.user_id);
  });
  metrics.gauges('parley_connections', 'Open sockets', 'mode', () => ({
    plain: hub.countByMode('plain'),
    v1: hub.countByMode('v1'),
  }));
  metrics.gauge('parley_active_users', 'Different users with a socket', () => hub.userCount);
  metrics.reading('parley_deliveries_total', 'Messages handed to sockets, once for each socket', () => hub.deliveries);

  lifecycle.onStart('outbox', () => outbox.start());
  redis?.onReturn(() => outbox.look());
  // In this order: what the outbox tells of before is passed over by the time that sockets come back.
  lifecycle.onNewEpoch('outbox', () => outbox.skip());
  lifecycle.onNewEpoch('sockets', () => hub.startAnew());
  lifecycle.onStop('refuse', 'sockets', () => realtime.announceDraining());
  lifecycle.onStop('hang-up', 'sockets', () => realtime.closeAll());
  lifecycle.onStop('close', 'outbox', () => outbox.stop());
  lifecycle.onStop('close', 'presence', () => presence.stop());

  const frameTable = new FrameTable();
  const connection: ConnectionDeps = {
    findHandler: (event) => frameTable.find(event),
    typing,
    async requireMembership(actor, conversationId) {
      await limits.lookups?.take(actor.userId);
      await inTurn.run(actor.userId, () => requireMembership(actor, conversationId));
    },
    openBudget: (userId) => budgets?.open(userId) ?? NO_LIMIT,
    turns,
    log: logger,
    failed: (code) => metrics.failed(code),
    isDraining: () => lifecycle.isStopping,
  };
  return {
    realtime,
    handshakes: { checks, hub, limits, origins, queryToken: config.websocket.query_token, connection },
    frameTable,
    frames: realtimeFrames({ typing, presence, limits, inTurn }),
    duties: [{ name: 'outbox', everyMs: OUTBOX_SWEEP_MS, run: (signal) => outbox.sweep(signal) }],
  };
}
