import { z } from 'zod';
import { startApp } from '../../server/app.ts';
import { loadConfig } from '../../server/config/config.ts';
import type { Core } from '../../server/core.ts';
import { createLogger } from '../../server/shared/logger.ts';
import type { Outcome } from '../../server/shared/outcome.ts';

/**
 * The program as it is, with one kind of job more: `tell` asks the URL that it carries, and is done when that answers 200.
 * The log line `control` names a port to which a job can be posted as JSON; it answers when the job is committed.
 */

const Tell = z.object({ url: z.string(), secret: z.string().optional() });
const TIMEOUT_MS = 2000;

const config = loadConfig();
const log = createLogger(config.monitoring);
const fatal = (error: unknown) => {
  log.fatal({ err: error }, 'cannot go on');
  process.exit(1);
};
process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);

const handle = async ({ url }: z.infer<typeof Tell>, run: { signal: AbortSignal; attempt: number; jobId: string }) => {
  const headers = { 'job-id': run.jobId, 'job-attempt': `${run.attempt}` };
  const { status } = await fetch(url, { method: 'POST', headers, signal: run.signal });
  const outcome: Outcome = status === 200 ? { kind: 'done' } : { kind: 'failed', reason: `status ${status}` };
  return outcome;
};

let core!: Core;
const app = await startApp(config, log, fatal, {
  createParts(made) {
    core = made;
    return [{ jobs: { tell: { schema: Tell, timeoutMs: TIMEOUT_MS, handle } } as never }];
  },
});

const control = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    const job = (await request.json()) as { payload: unknown; delayMs?: number; dedupeKey?: string };
    const id = await core.database.transaction((tx) => core.queue.enqueue(tx, { kind: 'tell', ...job }));
    core.queue.wake();
    return Response.json({ id });
  },
});

process.stdout.write(`${JSON.stringify({ msg: 'listening', url: app.address.url, control: control.url.href })}\n`);

process.once('SIGTERM', async () => {
  setTimeout(() => fatal(new Error('the stop took too long')), config.server.shutdown_timeout).unref();
  await app.stop();
  process.exit(0);
});
