import { expect, test } from 'bun:test';
import { chart } from './chart.ts';
import type { Results } from './results.ts';

const results: Results = {
  machine: {
    cores: 2,
    cpu: 'A <fast> one',
    memory_gib: 8,
    kernel: '6',
    bun: '1',
    node: '20',
    date: '2026-01-01T00:00:00.000Z',
    commit: 'abc',
    load_before: 0,
    file_system: 'ext',
  },
  pinning: '',
  quick: false,
  rows: [
    { id: 'a', label: 'shown', unit: 'ms', better: 'less', values: { parley: 2, floor: 1 }, goal: 4, chart: true },
    { id: 'b', label: 'left out', unit: 'ms', better: 'less', values: { parley: 2 } },
  ],
  cpu: [],
  notes: [],
};

test('the chart has a panel for each figure that belongs into it, with its target, and is well-formed', () => {
  const svg = chart(results);
  expect(svg).toContain('Shown');
  expect(svg).toContain('target ≤ 4 ms: met');
  expect(svg).not.toContain('eft out');
  expect(svg).toContain('A &lt;fast&gt; one');
  expect(svg.match(/<rect class="(parley|floor)"/g)).toHaveLength(2);
});
