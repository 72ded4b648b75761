import { describe, expect, test } from 'bun:test';
import { CLOSE_CODES } from '../../protocol/close-codes.ts';
import { ERRORS } from '../../protocol/errors.ts';
import { CLIENT_FRAMES, ServerFrame } from '../../protocol/events.ts';
import { asyncApiDocument } from './asyncapi.ts';

type Json = Record<string, unknown>;

const document = JSON.parse(JSON.stringify(asyncApiDocument('1.2.3')));

/** Every `$ref` below a value. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = '$ref' in value && typeof value.$ref === 'string' ? [value.$ref] : [];
  return [...own, ...Object.values(value).flatMap(referencesIn)];
}

/** What a reference names in the document, or undefined. */
function find(reference: string): unknown {
  const path = reference.replace(/^#\//, '').split('/');
  return path.reduce<unknown>((at, key) => (at as Json | undefined)?.[key], document);
}

describe('the AsyncAPI document', () => {
  test('refers to nothing that is not in it', () => {
    const references = new Set(referencesIn(document));
    expect(references.size).toBeGreaterThan(50);
    expect([...references].filter((reference) => find(reference) === undefined)).toEqual([]);
  });

  test('has every frame of either side, and an operation for each that a client sends', () => {
    const sent = Object.keys(CLIENT_FRAMES).map((event) => `client.${event}`);
    const told = ServerFrame.options.map((frame) => `server.${frame.shape.event.value}`);
    expect(Object.keys(document.channels.v1.messages).sort()).toEqual([...sent, ...told].sort());
    expect(Object.keys(document.operations)).toEqual(expect.arrayContaining(Object.keys(CLIENT_FRAMES)));
  });

  test('describes plain mode as a channel of its own, without events', () => {
    expect(Object.keys(document.channels.plain.messages)).toEqual(['plain.send', 'plain.message', 'plain.error']);
    const { payload } = document.components.messages['plain.send'];
    expect(Object.keys(payload.properties)).not.toContain('event');
  });

  test('holds the tables of close codes and errors', () => {
    expect(document['x-close-codes']).toHaveLength(Object.keys(CLOSE_CODES).length);
    expect(document['x-errors'].map(({ code }: Json) => code)).toEqual(Object.keys(ERRORS));
  });

  test('has patterns that every validator can compile', () => {
    const patterns = JSON.stringify(document).match(/"pattern":"(?:[^"\\]|\\.)*"/g) ?? [];
    for (const one of patterns) expect(() => new RegExp(JSON.parse(`{${one}}`).pattern, 'u')).not.toThrow();
  });
});
