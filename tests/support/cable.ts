import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * The cable between a node and what it stands on: a port of its own that passes everything on. Pulled out, it is as
 * silent as a network is: nobody is told, what is written goes nowhere, and who connects gets no answer.
 */
export class Cable {
  private readonly sockets = new Set<Socket>();
  private isOut = false;

  private constructor(private readonly server: Server) {}

  /** Lays a cable to a port of this machine. */
  static async to(port: number): Promise<Cable> {
    const server = createServer();
    const cable = new Cable(server);
    server.on('connection', (near) => cable.join(near, port));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return cable;
  }

  /** Where the near end is. */
  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  pullOut(): void {
    this.isOut = true;
    for (const socket of this.sockets) socket.pause();
  }

  /** What was written meanwhile arrives. */
  plugIn(): void {
    this.isOut = false;
    for (const socket of this.sockets) socket.resume();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private join(near: Socket, port: number): void {
    const far = connect(port, '127.0.0.1');
    this.carry(near, far);
    this.carry(far, near);
  }

  private carry(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (data) => {
      if (to.write(data)) return;
      from.pause();
      to.once('drain', () => {
        if (!this.isOut) from.resume();
      });
    });
    // A fault of one end is the end of both, as it is without a cable between.
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
    if (this.isOut) from.pause();
  }
}
