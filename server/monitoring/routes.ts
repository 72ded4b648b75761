import { z } from '@hono/zod-openapi';
import { accepts } from 'hono/accepts';
import uplotScript from 'uplot/dist/uPlot.iife.min.js' with { type: 'file' };
import uplotStyle from 'uplot/dist/uPlot.min.css' with { type: 'file' };
import { ErrorBodySchema } from '../../protocol/resources.ts';
import { withStatus } from '../http/answer.ts';
import { answer } from '../http/declared-answers.ts';
import { mount, publicRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';
import { answerPage, serveFiles, withoutDocuments } from '../http/static-files.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import chartView from './assets/chart-view.js' with { type: 'file' };
import charts from './assets/charts.js' with { type: 'file' };
import style from './assets/metrics.css' with { type: 'file' };
import page from './assets/metrics.html' with { type: 'text' };
import script from './assets/metrics.js' with { type: 'file' };
import parser from './assets/prometheus-text.js' with { type: 'file' };
import type { Metrics } from './metrics.ts';
import { MetricsAccess } from './metrics-access.ts';
import { type Check, Readiness } from './readiness.ts';

export interface MonitoringOptions {
  version: string;
  /** Whether this node has a page for the API documents. */
  documents: boolean;
  log: Logger;
  /** How long what readiness found is told again, in milliseconds. */
  intervalMs: number;
  metrics: Metrics;
  /** Lets others than this machine read the metrics; empty: nobody else. */
  metricsToken: string;
  /** What this node does, and what each part of that stands on, by name. */
  roles: Record<string, string[]>;
  /** What must work for this node to be ready, by name. */
  checks: Record<string, Check>;
  /** What it goes on without, by name. */
  optionalChecks: Record<string, Check>;
  /** Whether the server is about to go. */
  isDraining(): boolean;
}

const Checks = z.record(z.string(), z.enum(['ok', 'failed'])).meta({ example: { database: 'ok' } });

const Roles = z.record(z.string(), z.array(z.string())).meta({
  description: 'What this node does (`ROLES`), and what each part of that stands on',
  example: { api: ['database', 'redis'], realtime: ['database', 'redis'] },
});

const Health = z
  .object({
    status: z.literal('ok'),
    roles: Roles,
    version: z.string(),
    uptime_seconds: z.int().meta({ description: 'Since the start of this process' }),
  })
  .meta({ id: 'Health' });

const Ready = z.object({ status: z.enum(['ok', 'degraded']), roles: Roles, checks: Checks }).meta({ id: 'Ready' });

const NotReady = ErrorBodySchema.extend({
  status: z.enum(['unavailable', 'draining']),
  roles: Roles,
  checks: Checks,
}).meta({ id: 'NotReady' });

const getHealth = publicRoute({
  method: 'get',
  path: '/api/v1/health',
  operationId: 'getHealth',
  tag: 'Health',
  summary: 'Whether the process lives',
  description: 'Touches nothing but the process itself: restart it where this fails.',
  answers: { 200: answer('It lives', Health) },
});

const getReadiness = publicRoute({
  method: 'get',
  path: '/api/v1/health/ready',
  operationId: 'getReadiness',
  tag: 'Health',
  summary: 'Whether to send it requests',
  description:
    'Asks what this node stands on, and says no while it is shutting down. `degraded` is ready too: without Redis ' +
    'everything is accepted and kept, and other nodes hear of it some seconds later.',
  answers: {
    200: answer('It is ready', Ready),
    503: answer('`unavailable`: something that it needs does not work, or it is about to go', NotReady),
  },
});

/** Health for probes, metrics for Prometheus, and the same as live charts for people (styled by the pages' base.css). */
export function monitoringRoutes(options: MonitoringOptions): Router {
  const { version, documents, log, intervalMs, metrics, metricsToken, roles, checks, optionalChecks, isDraining } =
    options;
  const access = new MetricsAccess({ token: metricsToken });
  const readiness = new Readiness({ checks, optionalChecks, isDraining, log, intervalMs });
  const app = createRouter();

  mount(app, getHealth, (c) => {
    c.header('Cache-Control', 'no-store');
    return { status: 'ok', roles, version, uptime_seconds: Math.floor(process.uptime()) };
  });

  mount(app, getReadiness, async (c) => {
    c.header('Cache-Control', 'no-store');
    const { status, checks } = await readiness.report();
    if (status === 'ok' || status === 'degraded') return { status, roles, checks };
    const message = status === 'draining' ? 'This server is about to go' : 'Something that this server needs fails';
    c.header('Retry-After', '1');
    return withStatus(503, { code: 'unavailable', message, request_id: c.var.requestId, status, roles, checks });
  });

  app.get('/metrics', async (c) => {
    if (!access.allows({ address: c.env.address, headers: c.req.raw.headers })) throw new ParleyError('forbidden');
    // One address, two forms: no copy may be kept, or the browser's Back shows one for the other.
    c.header('Cache-Control', 'no-store');
    c.header('Vary', 'Accept');
    const form = accepts(c, { header: 'Accept', supports: ['text/plain', 'text/html'], default: 'text/plain' });
    if (form === 'text/html') return answerPage(c, documents ? page : withoutDocuments(page), { version });
    return c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType });
  });

  serveFiles(app, {
    '/assets/metrics.css': style,
    '/assets/metrics.js': script,
    '/assets/charts.js': charts,
    '/assets/chart-view.js': chartView,
    '/assets/prometheus-text.js': parser,
    '/assets/uplot.css': uplotStyle,
    '/assets/uplot.js': uplotScript,
  });
  return app;
}
