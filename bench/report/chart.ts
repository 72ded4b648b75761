import type { Row } from '../scenarios/scenario.ts';
import { amount, goalText, isMet, type Results } from './results.ts';

/** The figures as horizontal bars, a panel for each, on a page that is light or dark as its reader's is. */

const WIDTH = 860;
const MARGIN = 24;
const LABEL_WIDTH = 84;
const VALUE_WIDTH = 120;
const BAR = { height: 18, gap: 6 };
const HEAD = { page: 88, panel: 34 };
const PANEL_GAP = 20;

const SERIES = [
  { name: 'parley', label: 'Parley' },
  { name: 'floor', label: 'floor' },
  { name: 'socketio', label: 'Socket.IO' },
] as const;

const STYLE = `
  svg { --page: #ffffff; --text: #1f2328; --faint: #59636e; --rail: #eef1f4; --parley: #1a7f8e; --floor: #8c959f; --socketio: #c9a227; --goal: #cf222e; --met: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --text: #f0f6fc; --faint: #9198a1; --rail: #1c222b; --parley: #3fb6c6; --floor: #6e7681; --socketio: #d4b13f; --goal: #ff7b72; --met: #56d364; }
  }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--text); }
  .title { font-size: 17px; font-weight: 600; } .panel { font-weight: 600; } .faint { fill: var(--faint); font-size: 12px; }
  .page { fill: var(--page); } .rail { fill: var(--rail); }
  .parley { fill: var(--parley); } .floor { fill: var(--floor); } .socketio { fill: var(--socketio); }
  .goal { stroke: var(--goal); stroke-width: 2; stroke-dasharray: 4 3; }
  .met { fill: var(--met); font-size: 12px; } .missed { fill: var(--goal); font-size: 12px; }`;

export function chart(results: Results): string {
  const { machine } = results;
  let y = HEAD.page;
  const panels: string[] = [];
  for (const row of results.rows.filter((one) => one.chart && one.values.parley !== undefined)) {
    const { svg, height } = panel(row, y);
    panels.push(svg);
    y += height + PANEL_GAP;
  }
  const place = `${machine.cpu}, ${machine.cores} cores; Bun ${machine.bun}; commit ${machine.commit}; ${machine.date.slice(0, 10)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="Parley's benchmark figures">
<style>${STYLE}
</style>
<rect class="page" width="${WIDTH}" height="${y}"/>
<text class="title" x="${MARGIN}" y="32">What Parley costs</text>
<text class="faint" x="${MARGIN}" y="52">${escapeXml(place)}</text>
<text class="faint" x="${MARGIN}" y="70">Floor: the hot path alone, on the same stack. Socket.IO: keeps its messages in memory only.</text>
${panels.join('\n')}
</svg>
`;
}

function panel(row: Row, top: number): { svg: string; height: number } {
  const bars = SERIES.filter(({ name }) => row.values[name] !== undefined);
  const left = MARGIN + LABEL_WIDTH;
  const room = WIDTH - MARGIN - VALUE_WIDTH - left;
  const largest = Math.max(row.goal ?? 0, ...bars.map(({ name }) => row.values[name]!));
  const place = (value: number) => (largest > 0 ? (Math.max(0, value) / largest) * room : 0);
  const height = HEAD.panel + bars.length * (BAR.height + BAR.gap);

  const drawn = bars.map(({ name, label }, index) => {
    const value = row.values[name]!;
    const y = top + HEAD.panel + index * (BAR.height + BAR.gap);
    const base = y + BAR.height - 5;
    return `<text x="${MARGIN}" y="${base}">${label}</text>
<rect class="rail" x="${left}" y="${y}" width="${room}" height="${BAR.height}" rx="3"/>
<rect class="${name}" x="${left}" y="${y}" width="${Math.max(2, place(value)).toFixed(1)}" height="${BAR.height}" rx="3"/>
<text x="${left + room + 10}" y="${base}">${escapeXml(amount(value, row.unit))}</text>`;
  });
  return {
    svg: [heading(row, top), ...drawn, goalLine(row, left + place(row.goal ?? 0), top, height)].join('\n'),
    height,
  };
}

function heading(row: Row, top: number): string {
  const better = row.better === 'more' ? 'longer is better' : 'shorter is better';
  const title = `${row.label[0]!.toUpperCase()}${row.label.slice(1)}`;
  const met = isMet(row);
  const target = met === undefined ? '' : `target ${goalText(row)}: ${met ? 'met' : 'not met'}`;
  return `<text class="panel" x="${MARGIN}" y="${top + 18}">${escapeXml(title)} <tspan class="faint">${better}</tspan></text>
<text class="${met ? 'met' : 'missed'}" x="${WIDTH - MARGIN}" y="${top + 18}" text-anchor="end">${escapeXml(target)}</text>`;
}

function goalLine({ goal }: Row, x: number, top: number, height: number): string {
  if (goal === undefined) return '';
  const at = x.toFixed(1);
  return `<line class="goal" x1="${at}" x2="${at}" y1="${top + HEAD.panel - 6}" y2="${top + height}"/>`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
