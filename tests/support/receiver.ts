import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Message } from '../../protocol/resources.ts';

/** A request as it came. */
export interface Delivery {
  id: string;
  headers: IncomingMessage['headers'];
  /** The bytes, as they were signed. */
  text: string;
  body: { type: string; timestamp: string; data: Message };
  at: number;
}

/** What came, held against what was sent. */
export interface DeliveryAudit {
  /** Acknowledged, and never taken. */
  lost: number;
  /** Taken for the first time after a later message of its conversation. */
  disordered: number;
  /** Ids that stood for two messages, or messages that had two ids. */
  confused: number;
}

/** How a receiver answers: a status, or whatever it does with the response itself. */
export type Answering = (delivery: Delivery, response: ServerResponse) => number | undefined;

/** Somebody else's server, to whom webhooks go. It writes down all that came. */
export class Receiver {
  readonly deliveries: Delivery[] = [];
  /** Those that it took. */
  readonly accepted: Delivery[] = [];
  answer: Answering = () => 204;
  /** How long it takes to answer. */
  delayMs = 0;

  private constructor(private readonly server: Server) {}

  /** With a key and a certificate it speaks TLS. */
  static async open(tls?: { key: string; cert: string }): Promise<Receiver> {
    const server = tls ? createSecureServer(tls) : createServer();
    const receiver = new Receiver(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const receive = () => receiver.received(request, Buffer.concat(chunks).toString(), response);
        if (receiver.delayMs > 0) setTimeout(receive, receiver.delayMs);
        else receive();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** What it took of one conversation, each event once, in the order in which they first came. */
  eventsOf(conversationId: string): Delivery[] {
    const first = new Map<string, Delivery>();
    for (const delivery of this.accepted) {
      if (delivery.body.data.conversation_id === conversationId && !first.has(delivery.id)) {
        first.set(delivery.id, delivery);
      }
    }
    return [...first.values()];
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hooks`;
  }

  /** The messages that it took, as often as it did. */
  get taken(): Message[] {
    return this.accepted.map(({ body }) => body.data);
  }

  /** What it took of one conversation, each message once, in the order in which they first came. */
  of(conversationId: string): Message[] {
    const first = new Map<string, Message>();
    for (const message of this.taken) {
      if (message.conversation_id === conversationId && !first.has(message.id)) first.set(message.id, message);
    }
    return [...first.values()];
  }

  /** `sent`: what was acknowledged, of every conversation all of it. */
  audit(sent: Pick<Message, 'id' | 'conversation_id'>[]): DeliveryAudit {
    const taken = new Set(this.taken.map(({ id }) => id));
    const conversations = [...new Set(sent.map(({ conversation_id }) => conversation_id))];
    const disordered = conversations.flatMap((id) => {
      const seqs = this.of(id).map(({ seq }) => seq);
      return seqs.filter((seq, index) => index > 0 && seq < seqs[index - 1]!);
    });
    const pairs = new Set(this.deliveries.map(({ id, body }) => `${id} ${body.data.id}`));
    const ids = new Set(this.deliveries.map(({ id }) => id));
    const messages = new Set(this.deliveries.map(({ body }) => body.data.id));
    return {
      lost: sent.filter(({ id }) => !taken.has(id)).length,
      disordered: disordered.length,
      confused: 2 * pairs.size - ids.size - messages.size,
    };
  }

  onConnection(hear: () => void): void {
    this.server.on('connection', hear);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private received({ headers }: IncomingMessage, text: string, response: ServerResponse): void {
    const delivery = {
      id: String(headers['webhook-id']),
      headers,
      text,
      body: JSON.parse(text),
      at: performance.now(),
    };
    this.deliveries.push(delivery);
    const status = this.answer(delivery, response);
    if (status === undefined) return;
    if (status < 300) this.accepted.push(delivery);
    response.writeHead(status).end();
  }
}

const opened = new Set<Receiver>();

/** A receiver of one test: `closeReceivers`, called in `afterEach`, closes it. */
export async function openReceiver(...options: Parameters<typeof Receiver.open>): Promise<Receiver> {
  const receiver = await Receiver.open(...options);
  opened.add(receiver);
  return receiver;
}

export async function closeReceivers(): Promise<void> {
  await Promise.all([...opened].map((receiver) => receiver.close()));
  opened.clear();
}
