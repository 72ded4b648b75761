import type { Client } from './client.ts';
import type { LocalConversation } from './local-conversation.ts';

/** A user with sockets on this node. */
export class LocalUser {
  readonly sockets = new Map<number, Client>();
  /** What they are in, by id. */
  readonly conversations = new Map<string, LocalConversation>();
  /** At which `rev` of a conversation their coming or going was heard here last, and told to their sockets. */
  readonly membershipRevs = new Map<string, number>();
  /** Sockets, and handshakes on their way to becoming one. */
  uses = 0;
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
