import type { ConversationEvent } from '../../server/chat/events/event.ts';
import type { Outcome } from '../../server/shared/outcome.ts';
import type { Consumer } from '../../server/worker/jobs.ts';

/** Posts every event as it is, for tests that need another consumer than the product has. */
export class PostingConsumer implements Consumer {
  readonly timeoutMs = 2000;

  constructor(
    readonly name: string,
    readonly cursor: 'each' | 'behind',
    private readonly url: string,
  ) {}

  wants(): boolean {
    return true;
  }

  async handle(event: ConversationEvent, signal: AbortSignal): Promise<Outcome> {
    const body = JSON.stringify({ type: event.kind, timestamp: new Date(event.at).toISOString(), data: event });
    const headers = { 'webhook-id': `${event.conversation_id}-${event.rev}` };
    try {
      const ends = AbortSignal.any([signal, AbortSignal.timeout(this.timeoutMs)]);
      const { ok } = await fetch(this.url, { method: 'POST', headers, body, signal: ends });
      return ok ? { kind: 'done' } : { kind: 'failed', reason: 'refused' };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'failed', reason: (error as Error).name };
    }
  }
}

/** What a server with other parts (faulty-server.ts) reads from its environment: consumers that post to these URLs. */
export type PostingSettings = { name: string; cursor: 'each' | 'behind'; url: string }[];

export function postingConsumers(settings: string | undefined): PostingConsumer[] {
  return (JSON.parse(settings ?? '[]') as PostingSettings).map((one) => {
    return new PostingConsumer(one.name, one.cursor, one.url);
  });
}
