import { Meter } from './meter.ts';
import type { ClosedLoop, ClosedLoopResult } from './plan.ts';
import { type Chair, type Load, Room } from './room.ts';

/** Keeps every sender's window full for a while, then waits until all that was sent has been heard by all. */
export async function runClosedLoop(plan: ClosedLoop): Promise<ClosedLoopResult> {
  let messagesLeft = plan.max_messages;
  const send = (chair: Chair) => {
    if (messagesLeft-- > 0) chair.send(room.sent);
  };
  const load: Load = { acked: send, delivered() {} };
  const room = await Room.open(plan, 'x'.repeat(plan.content_bytes), plan.full_check_every, load);

  for (const chair of room.senders) for (let sent = 0; sent < plan.window; sent++) send(chair);
  await Bun.sleep(plan.warm_ms);
  const meter = new Meter(plan.server_pid, plan);
  const from = { acked: room.acked, delivered: room.delivered };
  await Bun.sleep(plan.measure_ms);
  const measured = { ...meter.read(), acked: room.acked - from.acked, delivered: room.delivered - from.delivered };
  messagesLeft = 0;

  const deadline = performance.now() + plan.drain_ms;
  while (!room.isQuiet && performance.now() < deadline) await Bun.sleep(10);
  room.assertQuiet();
  room.close();
  return { ...measured, seqs: room.seqs(plan.conversations.length), repairs: room.repairs };
}
