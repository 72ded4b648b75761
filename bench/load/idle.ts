import { BenchFailure } from '../failure.ts';
import { residentBytes } from '../measure/memory.ts';
import { median } from '../measure/percentiles.ts';
import { Dialect, type Hearer } from './dialect.ts';
import { Meter } from './meter.ts';
import type { Connection, Idle, IdleResult } from './plan.ts';
import { RawSocket, throwUncaught } from './raw-socket.ts';
import { inTurns } from './turns.ts';

const OPENING_AT_ONCE = 50;

/**
 * Opens many sockets that say nothing, and looks at the server's memory before and after. The first ones stay open: they
 * warm code and pools, and leave no freed memory behind in which the others would cost nothing.
 */
export async function runIdle(plan: Idle): Promise<IdleResult> {
  const early = await openAll(plan, plan.connections.slice(0, plan.open_before));
  await Bun.sleep(plan.settle_ms);
  const before = await steadyResidentBytes(plan.server_pid);

  const opening = new Meter(plan.server_pid, plan);
  const crowd = await openAll(plan, plan.connections.slice(plan.open_before));
  const opened = opening.read();
  await Bun.sleep(plan.settle_ms);
  const resting = new Meter(plan.server_pid, plan);
  const after = await steadyResidentBytes(plan.server_pid);
  const cost = resting.read();
  early.close();
  crowd.close();

  return {
    ...cost,
    before_bytes: before,
    after_bytes: after,
    connections: plan.connections.length - plan.open_before,
    open_ms: opened.server.seconds * 1000,
    open_cpu_ms: opened.server.ms,
  };
}

/** The median of two seconds, so that a collection of garbage in the middle of it does not matter. */
async function steadyResidentBytes(pid: number): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < 20; look++) {
    looks.push(residentBytes(pid));
    await Bun.sleep(100);
  }
  return median(looks);
}

async function openAll(plan: Idle, connections: Connection[]): Promise<{ close(): void }> {
  const dialect = new Dialect(plan.dialect, '', 1);
  const sockets: RawSocket[] = [];
  let leaving = false;
  await inTurns(connections, OPENING_AT_ONCE, async (connection) => {
    const ready = Promise.withResolvers<void>();
    const hearer = new SilentHearer(ready.resolve, (frame) => socket.send(frame));
    const socket: RawSocket = await RawSocket.open(connection.url ?? plan.url, connection, {
      text: (bytes, start, end) => dialect.read(bytes, start, end, hearer),
      closed: (code) => {
        if (!leaving) throwUncaught(new BenchFailure(`an idle socket was cut (${code ?? 'no close frame'})`));
      },
    });
    if (connection.greeting !== undefined) socket.sendText(connection.greeting);
    sockets.push(socket);
    await ready.promise;
  });
  return {
    close: () => {
      leaving = true;
      for (const socket of sockets) socket.close();
    },
  };
}

/** Nobody speaks here: whatever else comes is a failure. */
class SilentHearer implements Hearer {
  readonly conversation = Buffer.alloc(0);

  constructor(
    readonly ready: () => void,
    readonly reply: (frame: Buffer) => void,
  ) {}

  acked = unexpected;
  delivered = unexpected;
  repaired = unexpected;
}

function unexpected(): never {
  throw new BenchFailure('an idle socket heard a message');
}
