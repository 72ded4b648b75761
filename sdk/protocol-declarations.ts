import { z } from 'zod';
import { ERRORS, MFA_METHODS } from '../protocol/errors.ts';
import { CLIENT_FRAMES, ServerFrame } from '../protocol/events.ts';
import * as resources from '../protocol/resources.ts';

/** What of JSON Schema the contract uses. */
interface JsonSchema {
  $ref?: string;
  type?: string;
  description?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

/** The contract's types in TypeScript, written out from its schemas with what these say about each field. */
export function protocolDeclarations(): string {
  const named = Object.entries(resources).filter(([, value]) => value instanceof z.ZodType);
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of named) registry.add(schema as z.ZodType, { id: name });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => id, io: 'output' });
  const codes = Object.keys(ERRORS).map((code) => `'${code}'`);

  return [
    '/** The types of the contract. */',
    ...named.map(([name]) => declaration(name, schemas[name] as JsonSchema)),
    ...frames(registry),
    'export type FrameOf<E extends ServerFrame["event"]> = Extract<ServerFrame, { event: E }>;',
    `export type ErrorCode = ${codes.join(' | ')};`,
    '/** One field that was wrong: `path` as the client wrote it, dots between levels. */',
    'export interface FieldError { path: string; message: string }',
    '/** A second factor. */',
    `export type MfaMethod = ${MFA_METHODS.map((method) => `'${method}'`).join(' | ')};`,
    '',
  ].join('\n');
}

/** The frames refer to the resources by name. */
function frames(resourcesRegistry: z.core.$ZodRegistry<{ id: string }>): string[] {
  const of = (schemas: readonly z.core.$ZodType[]) =>
    schemas.map((schema) =>
      typeOf(z.toJSONSchema(schema, { metadata: resourcesRegistry, io: 'output' }) as JsonSchema),
    );
  return [
    `export type ServerFrame =${of(ServerFrame.options)
      .map((type) => `\n  | ${type}`)
      .join('')};`,
    `export type ClientFrame =${of(Object.values(CLIENT_FRAMES))
      .map((type) => `\n  | ${type}`)
      .join('')};`,
    "export type Cause = Extract<ServerFrame, { event: 'message.updated' }>['cause'];",
  ];
}

function declaration(name: string, schema: JsonSchema): string {
  const body = schema.properties ? `interface ${name} ${typeOf(schema)}` : `type ${name} = ${typeOf(schema)};`;
  return `${comment(schema)}export ${body}`;
}

function typeOf(schema: JsonSchema, indent = ''): string {
  if (schema.$ref !== undefined) return schema.$ref.replace(/^#\/\$defs\//, '');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return union.map((one) => typeOf(one, indent)).join(' | ');
  if (schema.type === 'array') return `Array<${typeOf(schema.items!, indent)}>`;
  if (schema.properties) return objectType(schema, indent);
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'string' || schema.type === 'boolean') return schema.type;
  throw new Error(`The contract has a type that is not written out: ${JSON.stringify(schema)}`);
}

function objectType({ properties = {}, required = [] }: JsonSchema, indent: string): string {
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? '' : '?';
    return `${comment(schema, inner)}${inner}${name}${mark}: ${typeOf(schema, inner)};`;
  });
  return `{\n${fields.join('\n')}\n${indent}}`;
}

function comment({ description }: JsonSchema, indent = ''): string {
  return description === undefined ? '' : `${indent}/** ${description} */\n`;
}
