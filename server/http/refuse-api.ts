import { ParleyError } from '../shared/errors.ts';
import type { Router } from './router.ts';

/**
 * Answers all that no route before it did, on a node that serves no API. `unavailable` and not `not_found`: clients and
 * proxies that were sent here try again, and another node answers.
 */
export function refuseApi(app: Router): void {
  app.all('*', () => {
    throw new ParleyError('unavailable', 'This node serves no API: another one does');
  });
}
