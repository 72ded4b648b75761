import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Lets the other threads of the program go before the calling one where cores are scarce; `niceness` as in nice(1). Linux
 * gives each thread its own, under its own number; elsewhere, and where it is forbidden, nothing changes.
 */
export function lowerPriority(niceness: number): void {
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1);
    setPriority(Number(thread), niceness);
  } catch {
    // It is a courtesy: the program is right without it.
  }
}
