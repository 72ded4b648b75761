import type { Core } from '../core.ts';
import type { Part } from '../part.ts';
import { Webhooks } from './webhooks.ts';

/** Outgoing webhooks (docs/WEBHOOKS.md); nothing of it without `WEBHOOK_URL`. */
export function createWebhooks({ config, version }: Core): Part {
  const { url, secret, secret_previous, timeout, allow_private, events } = config.webhooks;
  if (url === '') return {};
  const webhooks = new Webhooks({
    url,
    secrets: [secret, secret_previous].filter((one) => one !== ''),
    events,
    allowPrivate: allow_private,
    timeoutMs: timeout,
    version,
  });
  return { consumers: [webhooks] };
}
