import { Line } from './line.ts';
import { Network, Record, type SocketTrace } from './network.ts';
import type { Person } from './person.ts';

const SESSION_OVER = 4401;
/** Within this its sockets are closed, whatever the bus loses (PROTOCOL.md §7.5), on a busy machine. */
const BOUND_MS = 7000;

/** A session of somebody that ends while its socket listens. */
export class SpareSession {
  private endedAt = 0;
  private isEnding = false;

  private constructor(
    private readonly person: Person,
    private readonly token: string,
    private readonly socket: SocketTrace,
  ) {}

  static async begin(person: Person): Promise<SpareSession | undefined> {
    const token = await person.signIn();
    const record = new Record();
    const line = token && (await Line.open(new Network(record), person.host.server.socketUrl, token, 'v1'));
    return line ? new SpareSession(person, token, record.sockets[0]!) : undefined;
  }

  signOut(): Promise<boolean> {
    return this.end(async () => (await this.person.call('POST', '/auth/logout', {}, this.token))?.status === 200);
  }

  /** Ends it, and every other session but the person's own. */
  changePassword(): Promise<boolean> {
    return this.end(() => this.person.changePassword());
  }

  private async end(work: () => Promise<boolean>): Promise<boolean> {
    if (this.isEnding || this.endedAt > 0 || this.socket.closedAt !== undefined) return false;
    this.isEnding = true;
    const at = Date.now();
    const isEnded = await work();
    if (isEnded) this.endedAt = at;
    this.isEnding = false;
    return isEnded;
  }

  /** To be called at the end, when all that was lost is made good. */
  check(world: { found(what: string): void }): void {
    if (this.endedAt === 0) return;
    const { closedAt, code } = this.socket;
    if (closedAt === undefined || closedAt - this.endedAt > BOUND_MS) {
      world.found(`a socket was closed ${closedAt && closedAt - this.endedAt} ms after its session ended`);
    } else if (code !== SESSION_OVER && code !== 1006 && code !== 1012) {
      world.found(`a socket of a session that ended was closed with ${code}`);
    }
  }
}
