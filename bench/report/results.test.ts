import { describe, expect, test } from 'bun:test';
import type { CpuRow, Row } from '../scenarios/scenario.ts';
import { amount, isMet, shares } from './results.ts';

const row: Row = { id: 'a', label: 'a', unit: 'ms', better: 'less', values: { parley: 5 }, goal: 6 };

describe('a figure', () => {
  test('meets its target from the side that is better', () => {
    expect(isMet(row)).toBe(true);
    expect(isMet({ ...row, better: 'more' })).toBe(false);
    expect(isMet({ ...row, values: { floor: 5 } })).toBeUndefined();
    expect(isMet({ ...row, goal: undefined })).toBeUndefined();
  });

  test('is written as people read it', () => {
    expect(amount(1_234_567, '/s')).toBe('1,234,567 /s');
    expect(amount(0.31, 'ms')).toBe('0.31 ms');
    expect(amount(undefined, 'ms')).toBe('');
  });
});

describe('the CPU of a measurement', () => {
  const spent = (ms: number, machine_ms = 0) => ({ seconds: 10, ms, threads: [], machine_ms });
  const cpu: CpuRow = { scenario: 's', target: 'parley', server: spent(9000, 18_500), generator: spent(9500) };

  test('tells a generator that was full', () => {
    expect(shares(cpu)).toEqual({ server: 0.9, generator: 0.95, others: 0, isSaturated: true, isDisturbed: false });
    expect(shares({ ...cpu, generatorSpins: true }).isSaturated).toBe(false);
  });

  test('tells that other programs ran', () => {
    expect(shares({ ...cpu, server: spent(5000, 17_500) })).toMatchObject({ others: 0.3, isDisturbed: true });
  });
});
