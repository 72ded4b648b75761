import { ServerInfo } from '../../protocol/resources.ts';
import { answer } from '../http/declared-answers.ts';
import { mount, publicRoute } from '../http/route-kit.ts';
import { createRouter, type Router } from '../http/router.ts';

const getServerInfo = publicRoute({
  method: 'get',
  path: '/api/v1/server',
  operationId: 'getServerInfo',
  tag: 'Authentication',
  summary: 'What to know before signing in',
  description: 'The same for everybody: whose server this is, and what it asks of accounts.',
  answers: { 200: answer('The installation', ServerInfo) },
});

/** What everybody may know of the installation. */
export function infoRoutes(info: ServerInfo): Router {
  const router = createRouter();
  mount(router, getServerInfo, () => info);
  return router;
}
