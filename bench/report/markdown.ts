import { amount, goalText, isMet, percent, type Results, shares, threadsText, warnings } from './results.ts';

/** The report as a page beside docs/BENCHMARKS.md. */
export function reportMarkdown(results: Results): string {
  const { machine } = results;
  const figures = results.rows.map((row) => {
    const met = isMet(row);
    return [
      row.label,
      `**${amount(row.values.parley, row.unit)}**`,
      goalText(row),
      met === undefined ? '' : met ? 'met' : '**not met**',
      amount(row.values.floor, row.unit),
      amount(row.values.socketio, row.unit),
    ];
  });
  const cpu = results.cpu.map((row) => {
    const { server, generator, others } = shares(row);
    const late = row.lateness_ms === undefined ? '' : `${row.lateness_ms} ms`;
    const busy = row.generatorSpins ? 'never sleeps' : percent(generator);
    return [row.scenario, row.target, percent(server), threadsText(row), busy, late, percent(others)];
  });
  return `# Latest figures

Written by \`make bench\`; [BENCHMARKS.md](../BENCHMARKS.md) says how they are measured and how to read them.

${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB of memory, kernel ${machine.kernel}, data on ${machine.file_system}. Bun ${machine.bun},
Node ${machine.node} (Socket.IO). Commit ${machine.commit}, ${machine.date.slice(0, 10)}; ${results.pinning}.

![The same as a chart](latest.svg)

${table(['', 'Parley', 'target', '', 'floor', 'Socket.IO'], figures)}

## Where the CPU went

Shares of one core while measuring; "late" is the generator's own delay, at the 99th percentile, in sending what the clock said.

${table(['scenario', 'server', 'CPU', 'its threads', 'generator', 'late', 'other programs'], cpu)}

## To bear in mind

${
  warnings(results)
    .map((text) => `- ${text}\n`)
    .join('') || '- Nothing stood out.\n'
}`;
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
