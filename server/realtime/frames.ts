import type { z } from 'zod';
import { CLIENT_FRAMES, type ClientEvent, LARGE_EVENTS } from '../../protocol/events.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { Connection, FrameHandler } from './connection.ts';
import type { InTurn } from './in-turn.ts';
import type { Presence } from './presence.ts';
import type { TypingSignals } from './typing.ts';

/** Frames that a part of the server takes, by their event. */
export type FrameHandlers = Record<string, FrameHandler<never>>;

/** A frame that is the part's own: `{ 'poll.vote': frame(Vote, (connection, vote) => …) }`. */
export function frame<Frame>(schema: z.ZodType<Frame>, handle: FrameHandler<Frame>['handle']): FrameHandler<never> {
  return { schema, handle } as unknown as FrameHandler<never>;
}

type Handle<E extends ClientEvent> = FrameHandler<z.output<(typeof CLIENT_FRAMES)[E]>>['handle'];

/** The handlers of events that the protocol has, each with its schema from there. */
export function framesOf(handles: { [E in ClientEvent]?: Handle<E> }): FrameHandlers {
  return Object.fromEntries(
    Object.entries(handles).map(([event, handle]) => {
      const one = frame<never>(CLIENT_FRAMES[event as ClientEvent] as never, handle as never);
      return [event, { ...one, isLarge: LARGE_EVENTS.includes(event as ClientEvent) }];
    }),
  );
}

/** The frames of all parts, each of one part alone. Fails where one of the protocol is nobody's, or one is of two. */
export class FrameTable {
  private readonly handlers = new Map<string, FrameHandler>();

  add(frames: FrameHandlers): void {
    for (const [event, handler] of Object.entries(frames)) {
      if (this.handlers.has(event)) throw new Error(`two parts take the frame ${event}`);
      this.handlers.set(event, handler as unknown as FrameHandler);
    }
  }

  requireWhole(): void {
    const missing = Object.keys(CLIENT_FRAMES).filter((event) => !this.handlers.has(event));
    if (missing.length > 0) throw new Error(`no part takes the frames ${missing.join(', ')}`);
  }

  find(event: unknown): FrameHandler | undefined {
    return typeof event === 'string' ? this.handlers.get(event) : undefined;
  }
}

export interface RealtimeFramesNeeds {
  typing: TypingSignals;
  presence: Presence;
  limits: Pick<RateLimits, 'presence'>;
  /** Where an account waits for what it asked before. */
  inTurn: InTurn;
}

/** What sockets do of themselves: say that somebody types, who is there, that they live. */
export function realtimeFrames({ typing, presence, limits, inTurn }: RealtimeFramesNeeds): FrameHandlers {
  const ping = frame(CLIENT_FRAMES.ping, (connection) => {
    connection.send({ event: 'pong' });
    return undefined;
  });
  const frames = framesOf({
    typing: (connection, { conversation_id, active }) =>
      asMember(connection, conversation_id, () =>
        active ? typing.start(connection.user, conversation_id) : typing.stop(connection.user, conversation_id),
      ),

    async 'presence.set'(connection, { status }) {
      await limits.presence?.take(connection.user.id);
      presence.choose(connection.user.id, status);
    },

    async 'presence.watch'(connection, { user_ids }) {
      await limits.presence?.take(connection.user.id);
      await inTurn.run(connection.user.id, () => presence.watch(connection, user_ids));
    },
  });
  return { ...frames, ping: { ...ping, isAlwaysTaken: true } };
}

/**
 * Does what only those in a conversation may. A socket hears what its user is in, so nothing has to be asked; only the
 * news of an invitation may come later than a client that has read of it.
 */
export function asMember(
  connection: Connection,
  conversationId: string,
  work: () => Promise<void> | undefined,
): Promise<void> | undefined {
  return connection.hears(conversationId) ? work() : connection.requireMembership(conversationId).then(work);
}
