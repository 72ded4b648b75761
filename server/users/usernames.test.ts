import { describe, expect, test } from 'bun:test';
import { claimOf as claimOfMigration } from '../database/migrations/0008-names.ts';
import { claimOf, ReservedUsernames, skeletonOf } from './usernames.ts';

const reserved = (public_url = '', reserved_usernames: string[] = []) =>
  new ReservedUsernames({ server: { public_url }, auth: { reserved_usernames } });

describe('usernames look alike', () => {
  test('where Unicode says so of their characters, whatever the case', () => {
    // All pairs within the characters of usernames in confusables.txt, versions 15 to 17.
    for (const [one, other] of [
      ['0', 'O'],
      ['1', 'l'],
      ['I', 'l'],
      ['m', 'rn'],
    ] as const) {
      expect(skeletonOf(one)).toBe(skeletonOf(other));
      expect(skeletonOf(`a${one}b`)).toBe(skeletonOf(`A${other.toLowerCase()}B`));
    }
  });

  test('and are told apart elsewhere', () => {
    const letters = [...'abcdefghjklnopqrstuvxyz23456789._-'];
    expect(new Set(letters.map(skeletonOf)).size).toBe(letters.length);
    expect(skeletonOf('bob.smith')).not.toBe(skeletonOf('bob_smith'));
  });

  test('to the step that claims names from before as they do to the program', () => {
    for (const name of ['alice', 'ALICE', 'mw10iIl', 'a.b-c_d', 'x'.repeat(50), 'm'.repeat(50)]) {
      expect(claimOfMigration(name.toLowerCase())).toBe(claimOf(name));
    }
  });
});

describe('an installation’s own names', () => {
  test('are the labels of its address, and its host', () => {
    const own = reserved('https://Chat.Example.co.uk');
    for (const name of ['chat', 'example', 'examp1e', 'chat.example.co.uk', 'Chat-Example', 'chat.admin']) {
      expect({ name, has: own.has(name) }).toEqual({ name, has: true });
    }
    for (const name of ['chats', 'example2', 'alice.example', 'com']) {
      expect({ name, has: own.has(name) }).toEqual({ name, has: false });
    }
    expect(reserved('http://localhost:8080').has('localhost')).toBe(true);
  });

  test('are none where the address is one of numbers, or there is none', () => {
    for (const url of ['', 'http://127.0.0.1:8080', 'http://[::1]:8080']) {
      for (const name of ['127.0.0.1', '127', 'chat']) expect(reserved(url).has(name)).toBe(false);
      expect(reserved(url).has('admin')).toBe(true);
    }
  });

  test('are joined by those of the settings', () => {
    expect(reserved('', ['Boss', '']).has('B0SS')).toBe(true);
    expect(reserved('', ['']).has('---')).toBe(false);
  });
});
