import { type Spread, spread } from '../measure/percentiles.ts';
import { Meter } from './meter.ts';
import type { OpenLoop, OpenLoopResult } from './plan.ts';
import { type Chair, type Load, Room } from './room.ts';

/**
 * Sends as the clock says, and takes each latency from the scheduled time: a server that stalls is charged for all the
 * messages that should have gone meanwhile (no coordinated omission). The loop never sleeps, for a timer would add its
 * own millisecond, unless the plan says so; so this generator uses its whole core. Its lateness says whether it kept up.
 */
export async function runOpenLoop(plan: OpenLoop): Promise<OpenLoopResult> {
  const warm = Math.round((plan.warm_ms / 1000) * plan.per_second);
  const total = warm + Math.round((plan.measure_ms / 1000) * plan.per_second);
  const load = new ScheduledLoad(total, plan.per_second);
  const room = await Room.open(plan, 'x'.repeat(plan.content_bytes), 1, load);
  const senders = room.senders;

  let meter = new Meter(plan.server_pid, plan);
  let isWarm = false;
  load.begin();
  await repeat(plan.sleeps ? (turn) => setTimeout(turn, 1) : setImmediate, () => {
    const now = performance.now();
    for (; room.sent < total && load.scheduled(room.sent) <= now; load.send(senders, room.sent));
    if (!isWarm && room.sent >= warm) {
      isWarm = true;
      meter = new Meter(plan.server_pid, plan);
    }
    return room.sent === total && (room.isQuiet || now > load.scheduled(total) + plan.drain_ms);
  });
  const cost = meter.read();

  room.assertQuiet();
  room.close();
  return {
    ...cost,
    delivery: spread(load.delivery.slice(warm)),
    halves: plan.split === undefined ? undefined : load.halves(warm, senders, plan.split),
    lateness: spread(load.lateness.slice(warm)),
    seqs: room.seqs(plan.conversations.length),
    repairs: room.repairs,
  };
}

class ScheduledLoad implements Load {
  readonly delivery: Float64Array;
  readonly lateness: Float64Array;
  private beganAt = 0;

  constructor(
    total: number,
    private readonly perSecond: number,
  ) {
    this.delivery = new Float64Array(total);
    this.lateness = new Float64Array(total);
  }

  begin(): void {
    this.beganAt = performance.now();
  }

  scheduled(number: number): number {
    return this.beganAt + (number * 1000) / this.perSecond;
  }

  /** The senders take turns. */
  send(senders: Chair[], number: number): void {
    this.lateness[number] = performance.now() - this.scheduled(number);
    senders[number % senders.length]!.send(number);
  }

  /** The senders take turns, so that a message's number says whose it is. */
  halves(warm: number, senders: Chair[], split: number): [Spread, Spread] {
    const measured = this.delivery.map((delay, number) => (number < warm ? -1 : delay));
    const isBefore = (number: number) => senders[number % senders.length]!.seat.conversation < split;
    const half = (before: boolean) => measured.filter((delay, number) => delay >= 0 && isBefore(number) === before);
    return [spread(half(true)), spread(half(false))];
  }

  acked(): void {}

  /** Only the other side counts; the sender's own copy may come sooner or later. */
  delivered(chair: Chair, number: number): void {
    if (!chair.seat.sends) this.delivery[number] = performance.now() - this.scheduled(number);
  }
}

/** Calls `turn` again and again until it returns true; `schedule` says when the next is due. */
function repeat(schedule: (next: () => void) => unknown, turn: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = () => {
      try {
        if (turn()) resolve();
        else schedule(next);
      } catch (error) {
        reject(error);
      }
    };
    next();
  });
}
