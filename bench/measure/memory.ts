import { readFileSync } from 'node:fs';

/** Resident memory of a process, in bytes (Linux). */
export function residentBytes(pid: number): number {
  return readBytes(pid, 'VmRSS');
}

/** The most that was ever resident of a process, in bytes (Linux). */
export function peakResidentBytes(pid: number): number {
  return readBytes(pid, 'VmHWM');
}

function readBytes(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!line) throw new Error(`process ${pid} has no resident memory`);
  return Number(line[1]) * 1024;
}
