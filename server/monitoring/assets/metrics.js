// @ts-check
import { ChartView } from './chart-view.js';
import { CHARTS } from './charts.js';
import { parseScrape } from './prometheus-text.js';

/** @typedef {import('./prometheus-text.js').Scrape} Scrape */

const PERIOD_MS = 1000;
const PATIENCE_MS = 3000;

const charts = /** @type {HTMLElement} */ (document.getElementById('charts'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));
const alarm = /** @type {HTMLElement} */ (document.getElementById('alarm'));

/** @type {ChartView[]} */
let views = [];
/** @type {{ time: number, scrape: Scrape } | undefined} the latest answer; its time is in seconds */
let last;

/** @returns {Promise<Scrape>} */
async function ask() {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const response = await fetch('/metrics', { headers: { Accept: 'text/plain' }, cache: 'no-store', signal });
  if (!response.ok) throw new Error(`answered ${response.status}`);
  return parseScrape(await response.text());
}

/** @param {Scrape} scrape */
function show(scrape) {
  const time = Date.now() / 1000;
  if (views.length === 0) {
    views = CHARTS.filter(({ needs }) => !needs || scrape.has(needs)).map((chart) => new ChartView(chart, charts));
  }
  if (last) {
    const step = { before: last.scrape, now: scrape, seconds: time - last.time };
    for (const view of views) view.add(time, view.chart.read(step));
  }
  last = { time, scrape };
  status.dataset.state = 'good';
  status.textContent = 'Live';
  alarm.hidden = true;
  delete charts.dataset.stale;
}

/** @param {unknown} error */
function showFailure(error) {
  const answered = error instanceof Error && error.message.startsWith('answered');
  for (const view of views) view.add(Date.now() / 1000, {});
  status.dataset.state = 'bad';
  status.textContent = 'No connection';
  charts.dataset.stale = '';
  if (!alarm.hidden) return; // said once: a screen reader would repeat it every second
  const what = answered ? `The server ${error.message} instead of its metrics.` : 'The server cannot be reached.';
  const since = last ? ` Its last numbers came at ${new Date(last.time * 1000).toLocaleTimeString('en-GB')}.` : '';
  alarm.textContent = `${what}${since} This page asks again every second.`;
  alarm.hidden = false;
}

async function poll() {
  const started = performance.now();
  await ask().then(show).catch(showFailure);
  setTimeout(poll, Math.max(0, PERIOD_MS - (performance.now() - started)));
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const view of views) view.redraw();
});

void poll();
