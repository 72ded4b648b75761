import { startApp } from '../../server/app.ts';
import { createBus } from '../../server/bus/create-bus.ts';
import { loadConfig } from '../../server/config/config.ts';
import { Hub } from '../../server/realtime/hub.ts';
import { Repair } from '../../server/realtime/repair.ts';
import { createLogger } from '../../server/shared/logger.ts';
import { type FaultPlan, FaultyBus } from './faulty-bus.ts';
import { postingConsumers } from './posting-consumer.ts';

/**
 * The program as it is, with a bus that loses, delays and reorders. A second port takes the plan of faults, as JSON, and
 * answers with what was done so far; `null` ends all faults. With REPAIR=off it makes nothing good that was lost. CONSUMERS
 * names consumers of events, as JSON (posting-consumer.ts).
 */

if (process.env.REPAIR === 'off') {
  Repair.prototype.start = () => {};
  Hub.prototype.heardOf = () => {};
  Hub.prototype.checkMembership = async () => {};
}

const config = loadConfig();
const log = createLogger(config.monitoring);
const fatal = (error: unknown) => {
  log.fatal({ err: error }, 'cannot go on');
  process.exit(1);
};
process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);

let bus!: FaultyBus;
const app = await startApp(config, log, fatal, {
  createBus: (needs) => {
    bus = new FaultyBus(createBus(needs));
    return bus;
  },
  createParts: () => [{ consumers: postingConsumers(process.env.CONSUMERS) }],
});

const control = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request) {
    if (request.method === 'PUT') bus.setPlan(((await request.json()) as FaultPlan | null) ?? undefined);
    return Response.json(bus.counts);
  },
});

process.stdout.write(`${JSON.stringify({ msg: 'listening', url: app.address.url, control: control.url.href })}\n`);

process.once('SIGTERM', async () => {
  setTimeout(() => fatal(new Error('the stop took too long')), config.server.shutdown_timeout).unref();
  await app.stop();
  process.exit(0);
});
