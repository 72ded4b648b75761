import { afterEach, expect, test } from 'bun:test';
import { type MetricSources, Metrics } from './metrics.ts';

const SOURCES: MetricSources = {
  connections: () => ({ plain: 1, v1: 2 }),
  activeUsers: () => 2,
  queued: () => 7,
  answersUnderWay: () => 2,
};

const open: Metrics[] = [];
afterEach(() => {
  for (const metrics of open.splice(0)) metrics.stop();
});

function create(sources: MetricSources): Metrics {
  const metrics = new Metrics(sources);
  open.push(metrics);
  return metrics;
}

test('a scrape reads the live values and what was counted', async () => {
  const metrics = create({ ...SOURCES, deliveries: () => 90 });
  metrics.batchCommitted(10, 0.002);
  metrics.batchCommitted(5, 0.001, 3);
  metrics.failed('rate_limited');
  metrics.requested('/api/v1/users/:id', 'GET', 404, 3);
  const lines = (await metrics.text()).split('\n');
  expect(lines).toContain('parley_connections{mode="v1"} 2');
  expect(lines).toContain('parley_active_users 2');
  expect(lines).toContain('parley_commit_queue_length 7');
  expect(lines).toContain('parley_messages_total 13');
  expect(lines).toContain('parley_commit_batch_size_sum 15');
  expect(lines).toContain('parley_deliveries_total 90');
  expect(lines).toContain('parley_errors_total{code="rate_limited"} 1');
  expect(lines).toContain('parley_http_request_seconds_sum{method="GET",route="/api/v1/users/:id",status="404"} 0.003');
});

test('counters that are read elsewhere do not add up from scrape to scrape', async () => {
  const metrics = create({ ...SOURCES, deliveries: () => 90 });
  await metrics.text();
  expect(await metrics.text()).toContain('parley_deliveries_total 90\n');
});

test('two servers in one process count apart', async () => {
  const [one, other] = [create(SOURCES), create(SOURCES)];
  one.batchCommitted(1, 0.001);
  expect(await other.text()).toContain('parley_messages_total 0\n');
});
