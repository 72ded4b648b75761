import type { Server } from 'bun';
import type { LocalSocket } from './local-user.ts';
import type { Turns } from './turns.ts';

/** Sockets of people in more conversations than this are given to their topics later, and step by step. */
const MANY = 500;
/** For how long such a socket must have been open, in milliseconds: of one that comes and goes nothing is kept. */
const SETTLED_MS = 1000;

/** Which sockets of a conversation are told: those of `parley.v1`, or those of plain mode. */
export type Mode = 'v1' | 'plain';

/** Conversations by their id. */
type Conversations = Pick<ReadonlyMap<string, unknown>, 'size' | 'keys'>;

/**
 * Which sockets hear which conversations. Bun delivers, by topics; but a socket of somebody in very many conversations is
 * given to their topics once it has stayed, and until then is told by itself what is published there: it hears all of them
 * from its first moment.
 */
export class Subscriptions {
  private server!: Server<unknown>;
  /** Sockets that are not given to all of their topics yet, and what they wait for. */
  private readonly opening = new Map<LocalSocket, Timer>();

  constructor(
    private readonly turns: Turns,
    private readonly settledMs = SETTLED_MS,
  ) {}

  /** To be called once the server listens: topics are its own. */
  serveOn(server: Server<unknown>): void {
    this.server = server;
  }

  /** From here on a socket hears these conversations, as they come and go. Those are what its `hears` says. */
  open(connection: LocalSocket, conversations: Conversations): void {
    if (conversations.size <= MANY) {
      for (const id of conversations.keys()) this.add(connection, id);
      return;
    }
    const settled = setTimeout(() => {
      const subscribed = this.turns.each(this.whileOpening(connection, conversations), (id) =>
        this.add(connection, id),
      );
      void subscribed.then(() => this.opening.delete(connection));
    }, this.settledMs);
    this.opening.set(connection, settled);
  }

  /** The socket is gone. */
  close(connection: LocalSocket): void {
    clearTimeout(this.opening.get(connection));
    this.opening.delete(connection);
  }

  add(connection: LocalSocket, id: string): void {
    connection.socket.subscribe(topicOf(id, modeOf(connection)));
  }

  remove(connection: LocalSocket, id: string): void {
    connection.socket.unsubscribe(topicOf(id, modeOf(connection)));
  }

  /** How many sockets of a mode hear a conversation. */
  count(id: string, mode: Mode): number {
    return this.server.subscriberCount(topicOf(id, mode)) + this.waiting(id, mode).length;
  }

  /** Tells all of a mode who hear a conversation, but for the socket that it came `from`, where that is named. */
  publish(id: string, mode: Mode, text: string, from?: LocalSocket): void {
    const topic = topicOf(id, mode);
    const waiting = this.waiting(id, mode);
    if (from) from.socket.publish(topic, text);
    else this.server.publish(topic, text);
    for (const connection of waiting) if (connection !== from) connection.sendText(text);
  }

  /** The sockets that hear a conversation, and are not given to its topic yet. */
  private waiting(id: string, mode: Mode): LocalSocket[] {
    if (this.opening.size === 0) return NOBODY;
    const topic = topicOf(id, mode);
    const isWaiting = (one: LocalSocket) => modeOf(one) === mode && one.hears(id) && !one.socket.isSubscribed(topic);
    return [...this.opening.keys()].filter(isWaiting);
  }

  /** The conversations, until the socket is gone. */
  private *whileOpening(connection: LocalSocket, conversations: Conversations): Iterable<string> {
    for (const id of conversations.keys()) {
      if (!this.opening.has(connection)) return;
      yield id;
    }
  }
}

const NOBODY: LocalSocket[] = [];

function modeOf({ isPlain }: LocalSocket): Mode {
  return isPlain ? 'plain' : 'v1';
}

function topicOf(id: string, mode: Mode): string {
  return mode === 'plain' ? `${id}/plain` : id;
}
