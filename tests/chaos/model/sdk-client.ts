import type { Message } from '../../../protocol/resources.ts';
import { createClient, type ParleyClient } from '../../../sdk/client.ts';
import { MemoryStorage } from '../../../sdk/storage/memory.ts';
import type { MessageView } from '../../../sdk/views.ts';
import type { ModelClient, Snapshot } from './client.ts';
import { Network } from './network.ts';
import type { Person } from './person.ts';

/** Soon back, so that a seed does not take long. */
const BACKOFF = { baseMs: 50, capMs: 400 };
const DAY_MS = 86_400_000;

/** The SDK as an application uses it, on one device of somebody. */
export class SdkClient implements ModelClient {
  readonly network: Network;
  signedOutBy: string | undefined;
  private readonly storage = new MemoryStorage();
  private readonly client: ParleyClient;

  constructor(
    readonly person: Person,
    { repair = true }: { repair?: boolean } = {},
  ) {
    this.network = new Network(person.record);
    this.client = createClient({
      baseUrl: person.host.url,
      storage: this.storage,
      WebSocket: this.network.WebSocket,
      fetch: (url, init) => {
        if (!repair && url.includes('/changes')) return Promise.reject(new TypeError('repair is switched off'));
        // As a server of before: the heads alone.
        if (!repair && url.endsWith('/sync') && init?.method === 'POST') return Promise.resolve(methodNotAllowed());
        return this.network.fetch(url, init);
      },
      backoff: BACKOFF,
    });
    this.client.on('conversation', () => this.openAll());
    this.client.on('signed_out', ({ reason }) => {
      this.signedOutBy = reason;
    });
  }

  async start(): Promise<void> {
    const { user, tokens } = this.person.account;
    const later = Date.now() + DAY_MS;
    // Signed in already, as after a reload: no password has to be hashed for it.
    await this.storage.write({ session: { user, tokens, refresh_at: later, expires_at: later } });
    await this.client.account.resume();
    await this.client.connect();
    this.openAll();
  }

  openAll(): void {
    for (const { id, is_open } of this.client.store.conversations.get()) {
      if (!is_open) this.client.conversations.open(id).catch(() => {}); // not there any more, or not now
    }
  }

  send(conversationId: string, content: string, replyTo?: string): void {
    this.client.messages.send(conversationId, content, { replyTo });
  }

  read(conversationId: string, seq: number): void {
    this.client.conversations.read(conversationId, seq);
  }

  get isQuiet(): boolean {
    const conversations = this.client.store.conversations.get();
    return (
      this.client.state.get() === 'online' &&
      conversations.every(
        ({ id, is_open }) => is_open && !this.messagesOf(id).some(({ status }) => status === 'pending'),
      )
    );
  }

  snapshot(): Snapshot {
    return new Map(
      this.client.store.conversations.get().map((view) => {
        const { conversation, participants, last_message, unread_count, read_seq } = view;
        // Those that the server refused stay in the store, for their writer to decide about.
        const messages = this.messagesOf(view.id).filter(({ seq }) => seq > 0);
        const last = last_message?.seq ? last_message : messages.at(-1);
        const copy = { conversation, participants, unread_count, read_seq, messages: messages.map(toMessage) };
        return [view.id, { ...copy, last_message: last && toMessage(last) }];
      }),
    );
  }

  close(): Promise<void> {
    return this.client.disconnect();
  }

  private messagesOf(id: string): readonly MessageView[] {
    return this.client.store.messages(id).get();
  }
}

function methodNotAllowed(): Response {
  return Response.json({ code: 'method_not_allowed', message: '', request_id: '' }, { status: 405 });
}

/** The message itself, without what only its view has. */
function toMessage({ key: _, mine: __, status: ___, error: ____, ...message }: MessageView): Message {
  return message;
}
