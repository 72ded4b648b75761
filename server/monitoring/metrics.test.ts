import { afterEach, expect, test } from 'bun:test';
import { Metrics } from './metrics.ts';

const open: Metrics[] = [];
afterEach(() => {
  for (const metrics of open.splice(0)) metrics.stop();
});

/** The metrics of a process whose parts have added some of each kind. */
function create() {
  const metrics = new Metrics(50);
  open.push(metrics);
  metrics.gauges('parley_connections', 'Open sockets', 'mode', () => ({ plain: 1, v1: 2 }));
  metrics.gauge('parley_active_users', 'Different users with a socket', () => 2);
  metrics.reading('parley_deliveries_total', 'Messages handed to sockets', () => 90);
  const messages = metrics.counter({ name: 'parley_messages_total', help: 'Messages accepted' });
  const labelNames = ['method', 'route', 'status'] as const;
  const seconds = metrics.histogram({ name: 'parley_http_request_seconds', help: 'Time to answer', labelNames });
  return { metrics, messages, seconds };
}

test('a scrape reads the live values and what was counted', async () => {
  const { metrics, messages, seconds } = create();
  messages.inc(10);
  messages.inc(3);
  metrics.failed('rate_limited');
  seconds.observe({ method: 'GET', route: '/api/v1/users/:id', status: 404 }, 0.003);
  const lines = (await metrics.text()).split('\n');
  expect(lines).toContain('parley_connections{mode="v1"} 2');
  expect(lines).toContain('parley_active_users 2');
  expect(lines).toContain('parley_messages_total 13');
  expect(lines).toContain('parley_deliveries_total 90');
  expect(lines).toContain('parley_errors_total{code="rate_limited"} 1');
  expect(lines).toContain('parley_http_request_seconds_sum{method="GET",route="/api/v1/users/:id",status="404"} 0.003');
});

test('counters that are read elsewhere do not add up from scrape to scrape', async () => {
  const { metrics } = create();
  const first = await metrics.text();
  await Bun.sleep(60);
  const second = await metrics.text();
  expect(second).not.toBe(first);
  expect(second).toContain('parley_deliveries_total 90\n');
});

test('a scrape is made once in an interval, however many ask', async () => {
  const { metrics, messages } = create();
  const first = await metrics.text();
  messages.inc();
  expect(await Promise.all([metrics.text(), metrics.text()])).toEqual([first, first]);
});

test('two servers in one process count apart', async () => {
  const [one, other] = [create(), create()];
  one.messages.inc();
  expect(await other.metrics.text()).toContain('parley_messages_total 0\n');
});
