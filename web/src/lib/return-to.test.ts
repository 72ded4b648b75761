import { expect, test } from 'bun:test';
import { destinationIn } from './return-to.ts';

const CONVERSATION = '/c/0199a3f0-7c1e-7d44-8a5b-5f0c6f3b2a10';

test('a conversation and the list are places to go', () => {
  for (const path of ['/', CONVERSATION]) expect(destinationIn(path)).toBe(path);
});

test('nothing else is, however it is written', () => {
  for (const text of [
    ...[
      '//evil.example',
      '///evil.example',
      '/\\evil.example',
      '\\\\evil.example',
      '\\/evil.example',
      '/\t/evil.example',
    ],
    ...[
      'https:evil.example',
      'https://evil.example',
      'HTTPS://evil.example',
      'javascript:alert(1)',
      'data:text/html,x',
    ],
    ...[
      '%2f%2fevil.example',
      '/%2fevil.example',
      '/%5cevil.example',
      '%68ttps://evil.example',
      '//evil%E3%80%82example',
    ],
    ...[
      `${CONVERSATION}/../..//evil.example`,
      `//evil.example${CONVERSATION}`,
      `${CONVERSATION}?x`,
      `${CONVERSATION}#x`,
    ],
    ...[`${CONVERSATION}\n`, `\n${CONVERSATION}`, ` ${CONVERSATION}`, `${CONVERSATION}@evil.example`, `@evil.example/`],
    ...[
      '/login',
      '/signup',
      '/reset#token',
      '/about',
      '/api/v1/auth/logout',
      '/c/',
      '/c/x',
      '',
      '.',
      '..',
      '/.',
      '/..',
    ],
    ...[null, undefined, 1, {}, [CONVERSATION]],
  ]) {
    expect([text, destinationIn(text)]).toEqual([text, undefined]);
  }
});
