/** Below the ports from which this machine connects, so that a client never takes the port of a server that is down. */
const PORTS = { first: 10_000, count: 20_000 };

/** A port for a server that must come back at the same address. */
export function fixedPort(): number {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    try {
      Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Taken: try another.
    }
  }
}
