import { cpuCells, figureCells, type Results, warnings } from './results.ts';

/** The report as a page beside docs/BENCHMARKS.md. */
export function reportMarkdown(results: Results): string {
  const { machine } = results;
  const figures = figureCells(results, '**not met**').map(([label, parley, ...rest]) => [
    label!,
    `**${parley}**`,
    ...rest,
  ]);
  return `# Latest figures

Written by \`make bench\`; [BENCHMARKS.md](../BENCHMARKS.md) says how they are measured and how to read them.

${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB of memory, kernel ${machine.kernel}, data on ${machine.file_system}. Bun ${machine.bun},
Node ${machine.node} (Socket.IO). Commit ${machine.commit}, ${machine.date.slice(0, 10)}; ${results.pinning}.

![The same as a chart](latest.svg)

${table(['', 'Parley', 'target', '', 'floor', 'Socket.IO'], figures)}

## Where the CPU went

Shares of one core while measuring; "late" is the generator's own delay, at the 99th percentile, in sending what the clock said.

${table(['scenario', 'server', 'CPU', 'its threads', 'generator', 'late', 'other programs'], cpuCells(results))}

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
