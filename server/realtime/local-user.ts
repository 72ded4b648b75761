import type { ServerWebSocket } from 'bun';
import type { CloseCode } from '../../protocol/close-codes.ts';
import type { ServerFrame } from '../../protocol/events.ts';
import type { LocalConversation } from './local-conversation.ts';

/** One of a user's sockets, as those see it who tell it something. */
export interface LocalSocket {
  /** Names this socket on this node. */
  readonly key: number;
  /** Whether it hears flat messages only. */
  readonly isPlain: boolean;
  readonly sessionId: string;
  readonly socket: Pick<ServerWebSocket<unknown>, 'subscribe' | 'unsubscribe' | 'isSubscribed' | 'publish'>;
  hears(conversationId: string): boolean;
  send(frame: ServerFrame): void;
  /** Sends a frame that was written as JSON already, for more than one. */
  sendText(text: string): void;
  close(code: CloseCode): void;
}

/** A user with sockets on this node. */
export class LocalUser {
  readonly sockets = new Map<number, LocalSocket>();
  /** What they are in, by id. */
  readonly conversations = new Map<string, LocalConversation>();
  /** At which `rev` of a conversation their coming or going was heard here last, and told to their sockets. */
  readonly membershipRevs = new Map<string, number>();
  /** Sockets, and handshakes on their way to becoming one. */
  uses = 0;
  /** Runs while there is none, until they are forgotten; of those only who are in very many conversations. */
  leaving: Timer | undefined;
  stopListening = () => {};
  /** Resolves when the conversations are known. */
  loaded: Promise<void> = Promise.resolve();
  /** What changed while they were being read, to be applied after. */
  meanwhile: (() => void)[] | undefined;

  constructor(
    readonly id: string,
    public username: string,
  ) {}

  heardOfMembership(conversationId: string, rev: number): void {
    this.membershipRevs.set(conversationId, Math.max(rev, this.membershipRevs.get(conversationId) ?? 0));
  }
}
