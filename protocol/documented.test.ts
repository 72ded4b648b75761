import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLOSE_CODES } from './close-codes.ts';
import { ERRORS } from './errors.ts';
import { CLIENT_FRAMES, ServerFrame } from './events.ts';

const PAGE = readFileSync(join(import.meta.dir, '../docs/PROTOCOL.md'), 'utf8');

/** The rows of a section's tables whose first cell names `name` in code. */
function rowsOf(section: string, name: string): string[] {
  const [, text = ''] = PAGE.split(`# ${section}\n`);
  const [own = ''] = text.split(/^#/m);
  return own.split('\n').filter((line) => line.startsWith('|') && line.split('|')[1]!.includes(`\`${name}\``));
}

describe('docs/PROTOCOL.md has a row', () => {
  test.each(Object.entries(ERRORS))('for the error %s, with its status and whether to try again', (code, rule) => {
    const [row, ...others] = rowsOf('2. Errors', code);
    expect(others).toEqual([]);
    const [, , status, again] = (row ?? '').split('|').map((cell) => cell.trim());
    expect({ status, again }).toEqual({ status: String(rule.status), again: rule.retryable ? 'yes' : '' });
  });

  test.each(Object.keys(CLIENT_FRAMES))('for the frame %s of a client', (event) => {
    expect(rowsOf('What a client sends', event)).toHaveLength(1);
  });

  test.each(ServerFrame.options.map((frame) => frame.shape.event.value))('for the frame %s of the server', (event) => {
    expect(rowsOf('What the server sends', event)).toHaveLength(1);
  });

  test.each(Object.entries(CLOSE_CODES))('for the close code %s', (code, { name }) => {
    expect(PAGE).toContain(`| ${code} | \`${name}\` |`);
  });
});
