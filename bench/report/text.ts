import { cpuCells, figureCells, type Results, warnings } from './results.ts';

/** The report as a terminal shows it. */
export function reportText(results: Results): string {
  const { machine } = results;
  const place = `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, kernel ${machine.kernel}`;
  return `
${place}, data on ${machine.file_system}
Bun ${machine.bun}, Node ${machine.node}, commit ${machine.commit}, ${machine.date}; ${results.pinning}

${table(['', 'Parley', 'target', '', 'floor', 'Socket.IO'], figureCells(results, 'NOT MET'))}

${table(['CPU, of one core', '', 'server', 'its threads', 'generator', 'late, p99', 'others'], cpuCells(results))}

${warnings(results)
  .map((text) => `! ${text}\n`)
  .join('')}`;
}

function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(head), rule, ...rows.map(line)].join('\n');
}
