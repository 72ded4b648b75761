import { registerComponents } from '../http/declared-answers.ts';
import { serveDocument } from '../http/documents.ts';
import type { Router } from '../http/router.ts';

const DESCRIPTION = `Conversations over REST; the same, live, over WebSocket at \`/ws\`.

Sign in with \`POST /api/v1/auth/register\` or \`/login\`, then send the access token as \`Authorization: Bearer …\`;
browsers may rely on the cookies that these calls set. Ids are UUIDv7. Every \`*_at\` is in milliseconds since the Unix
epoch. Every failure has one shape: \`code\`, \`message\`, \`request_id\`.`;

/** By its name in the list of SPDX, as OpenAPI 3.1 has it. */
const LICENSE = { name: 'MIT', identifier: 'MIT' };

/** Serves what the routes of `app` declare about themselves. Routes that join it before the first request are in. */
export function mountOpenApi(app: Router, version: string): void {
  registerComponents(app);
  serveDocument(app, '/api/v1/openapi.json', () => {
    const document = app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: { title: 'Parley', version, description: DESCRIPTION, license: LICENSE },
      servers: [{ url: '/' }],
    });
    const { schemas = {} } = document.components ?? {};
    // By name: else their order would be that in which files happen to be loaded.
    const sorted = Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    return { ...document, components: { ...document.components, schemas: sorted } };
  });
}
