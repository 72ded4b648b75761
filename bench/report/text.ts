import { amount, goalText, isMet, percent, type Results, shares, threadsText, warnings } from './results.ts';

/** The report as a terminal shows it. */
export function reportText(results: Results): string {
  const { machine } = results;
  const figures = results.rows.map((row) => {
    const met = isMet(row);
    return [
      row.label,
      amount(row.values.parley, row.unit),
      goalText(row),
      met === undefined ? '' : met ? 'met' : 'NOT MET',
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
  const place = `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, kernel ${machine.kernel}`;
  return `
${place}, data on ${machine.file_system}
Bun ${machine.bun}, Node ${machine.node}, commit ${machine.commit}, ${machine.date}; ${results.pinning}

${table(['', 'Parley', 'target', '', 'floor', 'Socket.IO'], figures)}

${table(['CPU, of one core', '', 'server', 'its threads', 'generator', 'late, p99', 'others'], cpu)}

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
