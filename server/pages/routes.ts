import swaggerStyle from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' };
import swaggerScript from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' };
import { createRouter, type Router } from '../http/router.ts';
import { answerPage, serveFiles, withoutDocuments } from '../http/static-files.ts';
import baseStyle from './assets/base.css' with { type: 'file' };
import docsStyle from './assets/docs.css' with { type: 'file' };
import docsPage from './assets/docs.html' with { type: 'text' };
import docsScript from './assets/docs.js' with { type: 'file' };
import favicon from './assets/favicon.svg' with { type: 'file' };
import landingStyle from './assets/landing.css' with { type: 'file' };
import landingPage from './assets/landing.html' with { type: 'text' };
import landingScript from './assets/landing.js' with { type: 'file' };
import { serveWeb } from './web.ts';

/**
 * The pages for people: the web client, what runs here, and, where they are shown, its documents to read and to try. All they
 * load comes from this server.
 */
export function pageRoutes({ version, documents }: { version: string; documents: boolean }): Router {
  const app = createRouter();
  const hasWeb = serveWeb(app);
  const about = documents ? landingPage : withoutDocuments(landingPage);
  app.get('/about', (c) => answerPage(c, about, { version }));
  if (!hasWeb) app.get('/', (c) => c.redirect('/about'));
  serveFiles(app, {
    '/favicon.ico': favicon, // asked for by browsers wherever a page names no icon; they go by its content type
    '/assets/favicon.svg': favicon,
    '/assets/base.css': baseStyle,
    '/assets/landing.css': landingStyle,
    '/assets/landing.js': landingScript,
  });
  if (!documents) return app;
  app.get('/api/docs', (c) => answerPage(c, docsPage, { version }));
  serveFiles(app, {
    '/assets/docs.css': docsStyle,
    '/assets/docs.js': docsScript,
    '/assets/swagger-ui.css': swaggerStyle,
    '/assets/swagger-ui.js': swaggerScript,
  });
  return app;
}
