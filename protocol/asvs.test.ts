import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** The items of levels 1 and 2 of ASVS 5.0.0: of each section, those of either level. */
const SECTIONS: Record<string, [level1: number[], level2: number[]]> = {
  '1.1': [[], [1, 2]],
  '1.2': [
    [1, 2, 3, 4, 5],
    [6, 7, 8, 9],
  ],
  '1.3': [
    [1, 2],
    [3, 4, 5, 6, 7, 8, 9, 10, 11],
  ],
  '1.4': [[], [1, 2, 3]],
  '1.5': [[1], [2]],
  '2.1': [[1], [2, 3]],
  '2.2': [[1, 2], [3]],
  '2.3': [[1], [2, 3, 4]],
  '2.4': [[], [1]],
  '3.2': [[1, 2], []],
  '3.3': [[1], [2, 3, 4]],
  '3.4': [
    [1, 2],
    [3, 4, 5, 6],
  ],
  '3.5': [
    [1, 2, 3],
    [4, 5],
  ],
  '3.7': [[], [1, 2]],
  '4.1': [[1], [2, 3]],
  '4.2': [[], [1]],
  '4.3': [[], [1, 2]],
  '4.4': [[1], [2, 3, 4]],
  '5.1': [[], [1]],
  '5.2': [[1, 2], [3]],
  '5.3': [[1, 2], []],
  '5.4': [[], [1, 2, 3]],
  '6.1': [[1], [2, 3]],
  '6.2': [
    [1, 2, 3, 4, 5, 6, 7, 8],
    [9, 10, 11, 12],
  ],
  '6.3': [
    [1, 2],
    [3, 4],
  ],
  '6.4': [
    [1, 2],
    [3, 4],
  ],
  '6.5': [[], [1, 2, 3, 4, 5]],
  '6.6': [[], [1, 2, 3]],
  '6.8': [[], [1, 2, 3, 4]],
  '7.1': [[], [1, 2, 3]],
  '7.2': [[1, 2, 3, 4], []],
  '7.3': [[], [1, 2]],
  '7.4': [
    [1, 2],
    [3, 4, 5],
  ],
  '7.5': [[], [1, 2]],
  '7.6': [[], [1, 2]],
  '8.1': [[1], [2]],
  '8.2': [[1, 2], [3]],
  '8.3': [[1], []],
  '8.4': [[], [1]],
  '9.1': [[1, 2, 3], []],
  '9.2': [[1], [2, 3, 4]],
  '10.1': [[], [1, 2]],
  '10.2': [[], [1, 2]],
  '10.3': [[], [1, 2, 3, 4]],
  '10.4': [
    [1, 2, 3, 4, 5],
    [6, 7, 8, 9, 10, 11],
  ],
  '10.5': [[], [1, 2, 3, 4, 5]],
  '10.6': [[], [1, 2]],
  '10.7': [[], [1, 2, 3]],
  '11.1': [[], [1, 2]],
  '11.2': [[], [1, 2, 3]],
  '11.3': [[1, 2], [3]],
  '11.4': [[1], [2, 3, 4]],
  '11.5': [[], [1]],
  '11.6': [[], [1]],
  '12.1': [[1], [2, 3]],
  '12.2': [[1, 2], []],
  '12.3': [[], [1, 2, 3, 4]],
  '13.1': [[], [1]],
  '13.2': [[], [1, 2, 3, 4, 5]],
  '13.3': [[], [1, 2]],
  '13.4': [[1], [2, 3, 4, 5]],
  '14.1': [[], [1, 2]],
  '14.2': [[1], [2, 3, 4]],
  '14.3': [[1], [2, 3]],
  '15.1': [[1], [2, 3]],
  '15.2': [[1], [2, 3]],
  '15.3': [[1], [2, 3, 4, 5, 6, 7]],
  '16.1': [[], [1]],
  '16.2': [[], [1, 2, 3, 4, 5]],
  '16.3': [[], [1, 2, 3, 4]],
  '16.4': [[], [1, 2, 3]],
  '16.5': [[], [1, 2, 3]],
  '17.1': [[], [1]],
  '17.2': [[], [1, 2, 3, 4]],
  '17.3': [[], [1, 2]],
};
/** The name of a file, between backticks. */
const PATH = /(?<=`)(?:[\w.-]+\/[\w./-]+|[\w.-]+\.(?:ts|md|json|yaml)|Dockerfile|Makefile|\.dockerignore)(?=`)/g;
const STATES = ['met', 'partly', 'not', 'does not apply'] as const;
type State = (typeof STATES)[number];

interface Row {
  item: string;
  level: string;
  state: State;
  why: string;
}

const rows: Row[] = rowsOf(read('docs/ASVS.md')).flatMap(([items = '', level = '', state = '', why = '']) =>
  items.split(', ').map((item) => ({ item, level, state: state as State, why })),
);

/** The cells of each row of a page's tables that begins with the number of an item. */
function rowsOf(page: string): string[][] {
  return page
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
}

function count(wanted: State, chapter?: string): number {
  return rows.filter(({ item, state }) => state === wanted && (!chapter || item.startsWith(`${chapter}.`))).length;
}

describe('docs/ASVS.md', () => {
  test('has each item of levels 1 and 2 once, with its level', () => {
    const wanted = Object.entries(SECTIONS).flatMap(([section, levels]) =>
      levels.flatMap((numbers, index) => numbers.map((number) => `${section}.${number} of ${index + 1}`)),
    );
    expect(wanted).toHaveLength(70 + 183);
    expect(rows.map(({ item, level }) => `${item} of ${level}`).toSorted()).toEqual(wanted.toSorted());
  });

  test('says of each how it stands, and why', () => {
    for (const { item, state, why } of rows) {
      expect({ item, isKnown: STATES.includes(state), isExplained: why !== '' }).toEqual({
        item,
        isKnown: true,
        isExplained: true,
      });
    }
  });

  test('names only files that are there', () => {
    const named = new Set(read('docs/ASVS.md').match(PATH));
    expect(named.size).toBeGreaterThan(100);
    expect([...named].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('is what SECURITY.md counts', () => {
    const security = read('SECURITY.md');
    const applying = rows.length - count('does not apply');
    const total = `**${count('met')} met, ${count('partly')} partly, ${count('not')} not, of ${applying} that apply**`;
    expect(security.replaceAll('\n', ' ')).toContain(total);
    const chapters = security.matchAll(/^\| V(\d+) [^|]*\| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$/gm);
    const told = Object.fromEntries([...chapters].map(([, chapter, ...counts]) => [chapter, counts.map(Number)]));
    const own = Array.from({ length: 17 }, (_, index) => String(index + 1));
    expect(told).toEqual(Object.fromEntries(own.map((one) => [one, STATES.map((state) => count(state, one))])));
  });
});
