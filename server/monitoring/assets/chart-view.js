// @ts-check

/** @typedef {import('./charts.js').Chart} Chart */

// The library is a classic script, so what it defines is global.
const uPlot = /** @type {typeof import('uplot')} */ (Reflect.get(globalThis, 'uPlot'));

const KEPT_SECONDS = 600;
const SHOWN_AT_LEAST_SECONDS = 60;
const HEIGHT = 150;
const COLOURS = 6;
const AXIS_FONT = '11px ui-sans-serif, system-ui, sans-serif';

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** A chart in the page: its lines of the last ten minutes, and their values now or where the pointer is. */
export class ChartView {
  /** @type {number[]} seconds since the Unix epoch */
  times = [];
  /** @type {Map<string, (number | null)[]>} the lines by their labels, each as long as `times` */
  lines = new Map();
  /** @type {Map<string, HTMLElement>} where the value of each line is shown */
  readings = new Map();

  /**
   * @param {Chart} chart
   * @param {HTMLElement} parent
   */
  constructor(chart, parent) {
    this.chart = chart;
    this.element = /** @type {HTMLElement} */ (fromTemplate('chart'));
    this.list = /** @type {HTMLElement} */ (this.element.querySelector('dl'));
    this.box = /** @type {HTMLElement} */ (this.element.querySelector('.plot'));
    this.at = /** @type {HTMLElement} */ (this.element.querySelector('.at'));
    /** @type {HTMLElement} */ (this.element.querySelector('h2')).textContent = chart.title;
    this.box.setAttribute('aria-label', `${chart.title}, the last ten minutes`);
    parent.append(this.element);
    this.plot = this.draw();
    new ResizeObserver(() => this.plot.setSize({ width: this.box.clientWidth, height: HEIGHT })).observe(this.box);
  }

  /**
   * Adds a moment. A line that has no value in it gets a gap.
   * @param {number} time seconds since the Unix epoch
   * @param {Record<string, number | null>} values
   */
  add(time, values) {
    const added = Object.keys(values).filter((label) => !this.lines.has(label));
    for (const label of added) this.addLine(label);
    this.times.push(time);
    for (const [label, line] of this.lines) line.push(values[label] ?? null);
    while ((this.times[0] ?? time) < time - KEPT_SECONDS) {
      this.times.shift();
      for (const line of this.lines.values()) line.shift();
    }
    if (added.length > 0) {
      this.plot.destroy();
      this.plot = this.draw();
    } else {
      this.plot.setData(this.data());
    }
    this.showReadings();
  }

  /** For colours that have changed. */
  redraw() {
    this.plot.redraw();
  }

  /** @param {string} label */
  addLine(label) {
    const reading = /** @type {HTMLElement} */ (fromTemplate('reading'));
    const name = /** @type {HTMLElement} */ (reading.querySelector('dt'));
    name.textContent = label;
    name.style.setProperty('--series', `var(${colour(this.lines.size)})`);
    this.list.append(reading);
    this.readings.set(label, /** @type {HTMLElement} */ (reading.querySelector('dd')));
    this.lines.set(label, Array(this.times.length).fill(null));
  }

  /** @returns {import('uplot').AlignedData} */
  data() {
    return [this.times, ...this.lines.values()];
  }

  showReadings() {
    const { left, idx } = this.plot.cursor;
    const pointed = idx != null && (left ?? -1) >= 0 ? idx : undefined;
    const index = pointed ?? this.times.length - 1;
    for (const [label, element] of this.readings) {
      const value = this.lines.get(label)?.[index] ?? null;
      element.textContent = value === null ? '–' : this.chart.format(value);
    }
    this.at.textContent = pointed === undefined ? '' : clock.format((this.times[pointed] ?? 0) * 1000);
  }

  draw() {
    const { chart } = this;
    const axis = {
      stroke: () => token('--muted'),
      font: AXIS_FONT,
      grid: { stroke: () => token('--line'), width: 1 },
      ticks: { show: false },
    };
    /** @type {import('uplot').Options} */
    const options = {
      width: this.box.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'parley' } },
      padding: [8, 24, 0, 0],
      scales: {
        x: { range: (_, min, max) => [Math.min(min, max - SHOWN_AT_LEAST_SECONDS), max] },
        y: { range: (_, __, max) => [0, Math.max(chart.least, (max ?? 0) * 1.1)] },
      },
      axes: [
        { ...axis, space: 80, size: 28, gap: 6, values: (_, times) => times.map((time) => clock.format(time * 1000)) },
        { ...axis, space: 28, size: 62, gap: 6, values: (_, values) => values.map(chart.format) },
      ],
      series: [{}, ...[...this.lines.keys()].map((label, index) => this.series(label, index))],
      hooks: { setCursor: [() => this.showReadings()] },
    };
    return new uPlot(options, this.data(), this.box);
  }

  /**
   * @param {string} label
   * @param {number} index
   * @returns {import('uplot').Series}
   */
  series(label, index) {
    const stroke = () => token(colour(index));
    const fill = this.lines.size === 1 ? () => `${stroke()}22` : undefined;
    return { label, stroke, fill, width: 1.5, points: { show: false }, spanGaps: this.chart.sparse ?? false };
  }
}

/** @param {string} id */
function fromTemplate(id) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {DocumentFragment} */ (template.content.cloneNode(true)).firstElementChild;
}

/** @param {number} index */
function colour(index) {
  return `--series-${(index % COLOURS) + 1}`;
}

/**
 * A colour of the stylesheet, as it is under the visitor's scheme: the canvas does not know custom properties.
 * @param {string} name
 */
function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
