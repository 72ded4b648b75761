import { CLOSE_CODES } from '../../protocol/close-codes.ts';
import { ERRORS } from '../../protocol/errors.ts';
import { MAX_FRAME_BYTES, SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from '../../protocol/limits.ts';
import { serveDocument } from '../http/documents.ts';
import type { Router } from '../http/router.ts';
import { ANSWERS, MESSAGES, type ServerEvent, toSchemas } from './asyncapi-messages.ts';

const DESCRIPTION = `What travels over Parley's WebSocket, \`/ws\` (and \`/api/v1/ws\`), in both directions. The document is
the server's: what it receives is what a client sends. The calls over REST are in \`/api/v1/openapi.json\`.

Text frames of one JSON object each, at most ${MAX_FRAME_BYTES / 1024} KiB. Ids are UUIDv7. Every \`*_at\` is in milliseconds since
the Unix epoch. \`x-close-codes\` says what a client does after a close, \`x-errors\` what each code means.`;

/** The AsyncAPI document of the WebSocket, made from the schemas that the server checks frames with. */
export function asyncApiDocument(version: string): object {
  const { schemas, payloads } = toSchemas();
  const messages = Object.entries(MESSAGES).map(([key, { name, summary }]) => [
    key,
    { name, title: name, summary, contentType: 'application/json', payload: payloads[key] },
  ]);
  return {
    asyncapi: '3.0.0',
    info: { title: 'Parley', version, description: DESCRIPTION, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    servers: {
      parley: {
        host: '{host}',
        protocol: 'ws',
        description: '`wss` where the server is reached over TLS',
        variables: { host: { default: 'localhost:8080', description: 'Host and port of the installation' } },
        security: Object.keys(SECURITY).map((name) => ({ $ref: `#/components/securitySchemes/${name}` })),
      },
    },
    channels: {
      v1: channel(
        `${SUBPROTOCOL}: every event`,
        `The subprotocol \`${SUBPROTOCOL}\` is asked for. Every frame has an \`event\`.`,
        keysOf('client', 'server'),
      ),
      plain: channel(
        'Plain mode: flat messages',
        'No subprotocol is asked for. Nothing is ever sent but people’s messages and errors; the sending socket does not ' +
          'hear itself unless it was opened with `?echo=true`.',
        keysOf('plain'),
      ),
    },
    operations: {
      ...Object.fromEntries(Object.entries(ANSWERS).map(([event, answers]) => [event, request(event, answers)])),
      news: { action: 'send', channel: to('v1'), summary: 'What happens', messages: of('v1', keysOf('server')) },
      'plain.send': {
        action: 'receive',
        channel: to('plain'),
        summary: MESSAGES['plain.send']!.summary,
        messages: of('plain', ['plain.send']),
      },
      'plain.news': {
        action: 'send',
        channel: to('plain'),
        summary: 'What people write, and what was refused',
        messages: of('plain', ['plain.message', 'plain.error']),
      },
    },
    components: { messages: Object.fromEntries(messages), schemas, securitySchemes: SECURITY },
    'x-close-codes': Object.entries(CLOSE_CODES).map(([code, rule]) => ({ code: Number(code), ...rule })),
    'x-errors': Object.entries(ERRORS).map(([code, rule]) => ({ code, ...rule })),
  };
}

/** Serves the document. */
export function mountAsyncApi(app: Router, version: string): void {
  serveDocument(app, '/api/v1/asyncapi.json', () => asyncApiDocument(version));
}

/** How a handshake says who it is; one of them is enough. */
const SECURITY = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  subprotocol: {
    type: 'httpApiKey',
    in: 'header',
    name: 'Sec-WebSocket-Protocol',
    description: `\`${SUBPROTOCOL}, ${TOKEN_SUBPROTOCOL_PREFIX}<access token>\`: for browsers without cookies`,
  },
  query: { type: 'httpApiKey', in: 'query', name: 'token', description: 'For older clients; can be turned off' },
  cookie: {
    type: 'httpApiKey',
    in: 'cookie',
    name: '__Host-access_token',
    description: 'From trusted origins only; without TLS `access_token`',
  },
};

/** What the handshake may ask for in the address. */
const HANDSHAKE = {
  type: 'object',
  properties: {
    token: { type: 'string', description: 'An access token' },
    echo: { type: 'string', enum: ['true'], description: 'Plain mode: the socket hears what it sends itself' },
  },
};

function channel(title: string, description: string, keys: string[]) {
  return {
    address: '/ws',
    title,
    description,
    messages: Object.fromEntries(keys.map((key) => [key, { $ref: `#/components/messages/${key}` }])),
    bindings: { ws: { method: 'GET', query: HANDSHAKE, bindingVersion: '0.1.0' } },
  };
}

function request(event: string, answers: ServerEvent[]) {
  const replies = [...answers, 'error'].map((answer) => `server.${answer}`);
  return {
    action: 'receive',
    channel: to('v1'),
    summary: MESSAGES[`client.${event}`]!.summary,
    messages: of('v1', [`client.${event}`]),
    reply: { channel: to('v1'), messages: of('v1', replies) },
  };
}

function keysOf(...directions: string[]): string[] {
  return Object.keys(MESSAGES).filter((key) => directions.includes(key.split('.')[0]!));
}

function to(channelName: string) {
  return { $ref: `#/channels/${channelName}` };
}

function of(channelName: string, keys: string[]) {
  return keys.map((key) => ({ $ref: `#/channels/${channelName}/messages/${key}` }));
}
