import { writtenJson } from '../http/long-answers.ts';
import type { Router } from '../http/router.ts';

const DESCRIPTION = `Conversations over REST; the same, live, over WebSocket at \`/ws\`.

Sign in with \`POST /api/v1/auth/register\` or \`/login\`, then send the access token as \`Authorization: Bearer …\`;
browsers may rely on the cookies that these calls set. Ids are UUIDv7. Every \`*_at\` is in milliseconds since the Unix
epoch. Every failure has one shape: \`code\`, \`message\`, \`request_id\`.`;

/** Serves what the routes of `app` declare about themselves. Routes that join it before the first request are in. */
export function mountOpenApi(app: Router, version: string): void {
  const { openAPIRegistry: registry } = app;
  registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' });
  registry.registerComponent('securitySchemes', 'cookie', { type: 'apiKey', in: 'cookie', name: 'access_token' });

  let document: string | undefined;
  app.get('/api/v1/openapi.json', (c) => {
    document ??= JSON.stringify(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: { title: 'Parley', version, description: DESCRIPTION },
        servers: [{ url: '/' }],
      }),
    );
    c.header('Cache-Control', 'no-cache');
    return writtenJson(c, document);
  });
}
