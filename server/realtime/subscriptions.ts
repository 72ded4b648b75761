import type { Server } from 'bun';
import type { LocalSocket } from './local-user.ts';
import type { Turns } from './turns.ts';

/**
 * Which sockets hear which topics. Bun delivers; but a socket of somebody in very many conversations is given to their topics
 * step by step, and until then is told by itself what is published there: it hears all of them from its first moment.
 */
export class Subscriptions {
  private server!: Server<unknown>;
  /** Sockets that are being given to their topics, and those that are left. */
  private readonly opening = new Map<LocalSocket, Set<string>>();

  constructor(private readonly turns: Turns) {}

  /** To be called once the server listens: topics are its own. */
  serveOn(server: Server<unknown>): void {
    this.server = server;
  }

  /** From here on a socket hears these topics. */
  open(connection: LocalSocket, topics: Iterable<string>): void {
    const left = new Set(topics);
    this.opening.set(connection, left);
    const subscribed = this.turns.each(left, (topic) => {
      left.delete(topic);
      connection.socket.subscribe(topic);
    });
    if (left.size === 0) this.opening.delete(connection);
    else void subscribed.then(() => this.opening.delete(connection));
  }

  /** The socket is gone. */
  close(connection: LocalSocket): void {
    this.opening.get(connection)?.clear();
    this.opening.delete(connection);
  }

  add(connection: LocalSocket, topic: string): void {
    connection.socket.subscribe(topic);
    this.opening.get(connection)?.delete(topic);
  }

  remove(connection: LocalSocket, topic: string): void {
    this.opening.get(connection)?.delete(topic);
    connection.socket.unsubscribe(topic);
  }

  /** How many sockets hear a topic. */
  count(topic: string): number {
    let count = this.server.subscriberCount(topic);
    for (const left of this.opening.values()) if (left.has(topic)) count++;
    return count;
  }

  /** Tells all who hear a topic, but for the socket that it came `from`, where that is named. */
  publish(topic: string, text: string, from?: LocalSocket): void {
    if (from) from.socket.publish(topic, text);
    else this.server.publish(topic, text);
    for (const [connection, left] of this.opening) {
      if (connection !== from && left.has(topic)) connection.sendText(text);
    }
  }
}
