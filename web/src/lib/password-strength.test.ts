import { expect, test } from 'bun:test';
import { dictionary, adjacencyGraphs as graphs } from '@zxcvbn-ts/language-common';
import { PasswordStrength } from './password-strength.ts';

const strength = new PasswordStrength({ dictionary, graphs });
const of = (password: string, names: string[] = [], host = 'chat.example.com') =>
  strength.of({ password, names, host });

test('what is too short for the server has no strength, counted as people count', () => {
  expect(of('1234567').level).toBe(0);
  expect(of('🦊🦊🦊🦊🦊🦊🦊').level).toBe(0);
  expect(of('e\u0301'.repeat(7)).level).toBe(0); // seven letters, in the form that the server counts
});

test('what the server would refuse is weak, and said to be so', () => {
  for (const password of ['password', 'Password123', '  qwertyuiop', 'P@ssw0rd123!', '1234567890', 'iloveyou!!']) {
    expect(of(password)).toEqual({ level: 1, advice: 'common', weakness: 'common' });
  }
  for (const password of ['mara.lindqvist@example.com', 'Lindqvist2024', '+parley+7']) {
    expect(of(password, ['mara.lindqvist@example.com', 'Mara'])).toEqual({
      level: 1,
      advice: 'name',
      weakness: 'name',
    });
  }
});

test('what it would take and is easy to guess says why', () => {
  expect(of('aaaaaaaaaaaa')).toMatchObject({ level: 1, advice: 'repeated' });
  expect(of('Dr4g0nM0nkey').advice).toBe('common');
  expect(of('1980-10-30').advice).toBe('date');
  expect(of('abcdefghijklm').advice).toBe('row');
  expect(of('mara-lindqvist', ['Mara Lindqvist']).advice).toBe('name');
  for (const password of ['aaaaaaaaaaaa', 'Dr4g0nM0nkey', '1980-10-30']) expect(of(password).weakness).toBeUndefined();
});

test('a few words in a row are strong', () => {
  expect(of('correct horse battery')).toEqual({ level: 4, advice: 'fine' });
});

test('none holds up typing, however long and odd', () => {
  for (const password of ['x1y2z3a4b5c6d7e8f9g0'.repeat(6), 'aA1!'.repeat(32), '20241231'.repeat(16)]) {
    const started = performance.now();
    of(password, ['a'.repeat(100)]);
    expect(performance.now() - started).toBeLessThan(500);
  }
});
