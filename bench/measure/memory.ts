import { readFileSync } from 'node:fs';

/** Resident memory of a process, in bytes (Linux). */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!line) throw new Error(`process ${pid} has no resident memory`);
  return Number(line[1]) * 1024;
}
