import { createHmac } from 'node:crypto';

/**
 * The value of `webhook-signature` (Standard Webhooks 1.0.0): of each secret `v1,` and the HMAC-SHA256, in base64, of
 * `id.timestamp.body`; separated by spaces, the newest secret first.
 */
export function sign(secrets: string[], id: string, timestampSeconds: number, body: string): string {
  const content = `${id}.${timestampSeconds}.${body}`;
  return secrets
    .map((secret) => `v1,${createHmac('sha256', keyOf(secret)).update(content).digest('base64')}`)
    .join(' ');
}

/** `whsec_` and base64 stand for bytes, as Standard Webhooks writes secrets; any other text is its own bytes. */
function keyOf(secret: string): Buffer {
  const encoded = /^whsec_(.+)$/.exec(secret)?.[1];
  return encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, 'base64');
}
