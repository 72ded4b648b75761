import { type ConversationEvent, type EventKind, kindsOf } from '../chat/events/event.ts';
import type { Outcome } from '../shared/outcome.ts';
import type { Consumer } from '../worker/jobs.ts';
import { publicAddresses, RefusedAddress } from './addresses.ts';
import { isWebhookEvent, type Payload, payloadOf, type WebhookEvent } from './payload.ts';
import { type PostAnswer, post } from './post.ts';
import { sign } from './signature.ts';

export interface WebhooksOptions {
  url: string;
  /** The newest first: each signs. */
  secrets: string[];
  /** What the receiver is told of. */
  events: readonly WebhookEvent[];
  /** Whether the URL may lead to private addresses, and be plain `http:`. */
  allowPrivate: boolean;
  /** From the look-up of the name to the end of the answer, in milliseconds. */
  timeoutMs: number;
  version: string;
}

/** 410: the receiver wants no more of these (Standard Webhooks). */
const GONE = 410;
/** Their `Retry-After` counts. */
const SLOW_DOWN = [429, 503];

/** What brings a system message, and so may be told as two: its creation, and what it tells of. */
const WITH_MESSAGE: WebhookEvent[] = [
  'conversation.created',
  'conversation.updated',
  'participant.joined',
  'participant.left',
];

/** Tells a receiver of what happens, as docs/WEBHOOKS.md has it. */
export class Webhooks implements Consumer {
  readonly name = 'webhooks';

  constructor(private readonly options: WebhooksOptions) {}

  get timeoutMs(): number {
    const { events, timeoutMs } = this.options;
    const mayBeTwo = events.includes('message.created') && WITH_MESSAGE.some((one) => events.includes(one));
    return mayBeTwo ? timeoutMs * 2 : timeoutMs;
  }

  wants(kind: EventKind): boolean {
    return isWebhookEvent(kind) && this.options.events.includes(kind);
  }

  /** Done when each of its posts was taken. */
  async handle(event: ConversationEvent, stopping: AbortSignal): Promise<Outcome> {
    for (const kind of kindsOf(event).filter(isWebhookEvent)) {
      if (!this.wants(kind)) continue;
      const outcome = await this.post(payloadOf(event, kind), stopping);
      if (outcome.kind !== 'done') return outcome;
    }
    return { kind: 'done' };
  }

  private async post(payload: Payload, stopping: AbortSignal): Promise<Outcome> {
    const timeout = AbortSignal.timeout(this.options.timeoutMs);
    try {
      return toOutcome(await this.send(payload, AbortSignal.any([timeout, stopping])));
    } catch (error) {
      stopping.throwIfAborted();
      return { kind: 'failed', reason: timeout.aborted ? 'no answer in time' : reasonOf(error) };
    }
  }

  private async send({ id, ...payload }: Payload, signal: AbortSignal): Promise<PostAnswer> {
    const { url, secrets, allowPrivate, version } = this.options;
    const target = new URL(url);
    const addresses = await unlessAborted(publicAddresses(target.hostname, allowPrivate), signal);
    const body = JSON.stringify(payload.body);
    const timestamp = Math.floor(Date.now() / 1000);
    const headers = {
      'Content-Type': 'application/json',
      'User-Agent': `Parley/${version}`,
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(secrets, id, timestamp, body),
    };
    return post(target, addresses, headers, body, signal);
  }
}

function toOutcome({ status, retryAfter }: PostAnswer): Outcome {
  if (status >= 200 && status < 300) return { kind: 'done' };
  const reason = `answered with status ${status}`;
  if (status === GONE) return { kind: 'hopeless', reason };
  return { kind: 'failed', reason, afterMs: SLOW_DOWN.includes(status) ? millisecondsOf(retryAfter) : undefined };
}

/** `Retry-After`: seconds, or a date (RFC 9110 §10.2.3); undefined for anything else. */
function millisecondsOf(retryAfter = ''): number | undefined {
  const milliseconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return milliseconds > 0 ? milliseconds : undefined;
}

/** Why a request failed, in words that hold neither the URL nor anything that the other side wrote. */
function reasonOf(error: unknown): string {
  if (error instanceof RefusedAddress) return error.message;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^\w+$/.test(code) ? `not reached: ${code}` : 'not reached';
}

/** What has no way to be broken off is no longer waited for. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
