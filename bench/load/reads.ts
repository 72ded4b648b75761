import { BenchFailure } from '../failure.ts';
import { median, spread } from '../measure/percentiles.ts';
import { Meter } from './meter.ts';
import type { Reads, ReadsResult } from './plan.ts';

/** Sleep until this much before a read is due, then wait awake: timers are a millisecond late. */
const AWAKE_MS = 2;

/** Reads over HTTP when the clock says so, however long the reads before it take; latency counts from that time. */
export async function runReads(plan: Reads): Promise<ReadsResult> {
  const warm = Math.round((plan.warm_ms / 1000) * plan.per_second);
  const total = warm + Math.round((plan.measure_ms / 1000) * plan.per_second);
  const latency = new Float64Array(total);
  const lateness = new Float64Array(total);
  const bytes: number[] = [];
  const answers: Promise<void>[] = [];
  const beganAt = performance.now();
  let meter = new Meter(plan.server_pid);

  for (let number = 0; number < total; number++) {
    const due = beganAt + (number * 1000) / plan.per_second;
    await until(due);
    if (number === warm) meter = new Meter(plan.server_pid);
    lateness[number] = performance.now() - due;
    answers.push(read(number, due));
  }
  await Promise.all(answers);

  return {
    ...meter.read(),
    latency: spread(latency.slice(warm)),
    lateness: spread(lateness.slice(warm)),
    bytes_median: median(bytes),
  };

  async function read(number: number, due: number): Promise<void> {
    const { path, headers } = plan.requests[number % plan.requests.length]!;
    const response = await fetch(plan.url + path, { headers, signal: AbortSignal.timeout(30_000) });
    const body = await response.text();
    if (response.status !== 200) throw new BenchFailure(`GET ${path} answered ${response.status}: ${body}`);
    JSON.parse(body);
    latency[number] = performance.now() - due;
    bytes.push(body.length);
  }
}

async function until(due: number): Promise<void> {
  const left = due - performance.now();
  if (left > AWAKE_MS) await Bun.sleep(left - AWAKE_MS);
  while (performance.now() < due) await new Promise((resolve) => setImmediate(resolve));
}
