import type { Server } from 'bun';
import { CLOSE } from '../../protocol/close-codes.ts';
import type { FrameOf, ServerFrame } from '../../protocol/events.ts';
import { MAX_LIVE_FRAME_BYTES } from '../../protocol/limits.ts';
import type { Participant } from '../../protocol/resources.ts';
import type { AccountNews, Bus, UserNews } from '../bus/bus.ts';
import type { Change, ConversationNews } from '../bus/news.ts';
import type { Logger } from '../shared/logger.ts';
import type { Connection } from './connection.ts';
import type { ConversationSource, Standing } from './conversation-source.ts';
import { LocalConversation, type LocalConversationHooks } from './local-conversation.ts';
import { type LocalSocket, LocalUser } from './local-user.ts';
import { Receipts } from './receipts.ts';
import { Repair, type ToldChanges } from './repair.ts';
import { type Mode, Subscriptions } from './subscriptions.ts';
import type { Turns } from './turns.ts';

/** How long a handshake waits, at most, until other nodes are heard: without Redis they are heard through the outbox. */
const MAX_JOIN_MS = 500;
/** Whoever is in more conversations than this is not forgotten at once: to read all of them costs more than to listen. */
const MANY_CONVERSATIONS = 500;
/** For how long they are still known, in milliseconds. */
const LINGER_MS = 10_000;

export interface HubOptions extends ConversationSource {
  bus: Bus;
  log: Logger;
  /** Where what is long is done bit by bit. */
  turns: Turns;
  /** Which history the log tells (PROTOCOL.md §7.4). */
  epoch: { readonly current: string };
}

/**
 * Who is connected to this node, and what each of them hears.
 *
 * A socket hears all conversations of its user, from the moment it is open: memberships are known before the handshake
 * is answered, and kept up from the conversations' own changes. Each change is written once for `parley.v1` and once for
 * plain mode, however many sockets hear it; Bun's topics do the rest.
 */
export class Hub {
  /** Frames handed to sockets since the start, once for each socket. */
  deliveries = 0;
  private readonly users = new Map<string, LocalUser>();
  private readonly conversations = new Map<string, LocalConversation>();
  private readonly connections = new Map<number, Connection>();
  private readonly stopListening: () => void;
  private readonly repair: Repair;
  private readonly receipts: Receipts;
  private readonly hooks: LocalConversationHooks = {
    publish: (conversation, change) => this.apply(conversation, change),
    onGap: (conversation) => this.repair.start(conversation),
  };
  private readonly subscriptions: Subscriptions;

  constructor(private readonly options: HubOptions) {
    const { log, changesSince, marksSince } = options;
    this.subscriptions = new Subscriptions(options.turns);
    this.repair = new Repair({ log, changesSince, tell: (conversation, told) => this.tell(conversation, told) });
    this.receipts = new Receipts({
      log,
      marksSince,
      publish: (id, text) => this.publishTo(id, 'v1', text),
      countListeners: (id) => this.subscriptions.count(id, 'v1'),
      listeners: (id) => this.listenersOf(id),
      sendTo: (user, { id }, frame) => user.conversations.has(id) && this.sendTo(user, frame),
    });
    this.stopListening = options.bus.subscribe('accounts', (news) => this.hearAccount(news));
  }

  /** To be called once the server listens: topics are its own. */
  serveOn(server: Server<unknown>): void {
    this.subscriptions.serveOn(server);
  }

  get userCount(): number {
    let count = 0;
    for (const user of this.users.values()) if (user.uses > 0) count++;
    return count;
  }

  countByMode(mode: Mode): number {
    let count = 0;
    for (const connection of this.connections.values()) if (connection.options.mode === mode) count++;
    return count;
  }

  allConnections(): Iterable<Connection> {
    return this.connections.values();
  }

  connectionsOf(userId: string): Connection[] {
    const keys = [...(this.users.get(userId)?.sockets.keys() ?? [])];
    return keys.flatMap((key) => this.connections.get(key) ?? []);
  }

  /**
   * Gets a user ready for a socket: resolves when all of their conversations are listened to. Each call is paired with
   * one of `open` followed by `close`, or of `abandon`.
   */
  async prepare(userId: string, username: string): Promise<LocalUser> {
    let user = this.users.get(userId);
    if (!user) {
      user = new LocalUser(userId, username);
      this.users.set(userId, user);
      user.loaded = this.load(user);
    }
    user.uses++;
    clearTimeout(user.leaving);
    try {
      await user.loaded;
    } catch (error) {
      if (this.users.get(user.id) === user) this.users.delete(user.id);
      this.abandon(user);
      throw error;
    }
    return user;
  }

  /** The handshake came to nothing. */
  abandon(user: LocalUser): void {
    user.uses--;
    if (user.uses > 0) return;
    const lingers = user.conversations.size > MANY_CONVERSATIONS && this.users.get(user.id) === user;
    if (lingers) user.leaving = setTimeout(() => this.forgetUser(user), LINGER_MS);
    else this.forgetUser(user);
  }

  private forgetUser(user: LocalUser): void {
    user.stopListening();
    if (this.users.get(user.id) === user) this.users.delete(user.id);
    void this.options.turns.each(user.conversations.values(), (conversation) => this.unlink(user, conversation));
  }

  /** From here on the socket hears its user's conversations. */
  open(connection: Connection): void {
    this.connections.set(connection.key, connection);
    if (this.users.get(connection.user.id) !== connection.user) {
      connection.close(CLOSE.RESTARTING);
      return;
    }
    connection.user.sockets.set(connection.key, connection);
    this.subscriptions.open(connection, connection.user.conversations);
  }

  close(connection: Connection): void {
    if (!this.connections.delete(connection.key)) return;
    this.subscriptions.close(connection);
    connection.user.sockets.delete(connection.key);
    this.abandon(connection.user);
  }

  /** The log says that a conversation stands at `rev`: whatever of it was not heard here is made good. */
  heardOf(conversationId: string, rev: number): void {
    const conversation = this.conversations.get(conversationId);
    if (conversation?.isBehind(rev)) this.repair.start(conversation);
  }

  /** The log says that marks of a conversation moved: what of them was not heard here is told. */
  heardOfMarks(conversationId: string, marksRev: number): void {
    const conversation = this.conversations.get(conversationId);
    if (conversation) void this.receipts.catchUp(conversation, marksRev);
  }

  /** The log says that a membership changed: an invitation or a removal that was not heard here is made good. */
  async checkMembership(userId: string, conversationId: string, rev: number): Promise<void> {
    const user = this.users.get(userId);
    if (!user) return;
    await user.loaded.catch(() => {}); // who could not be loaded has no socket, and is told when they come back
    const heardBefore = user.membershipRevs.get(conversationId) ?? 0;
    const head = await this.options.findHead(userId, conversationId);
    if (this.users.get(userId) !== user) return;
    if (head) this.heardOf(conversationId, head.rev);
    // What was heard while this was read is newer, and was applied: who was removed meanwhile must not be let in again.
    if ((user.membershipRevs.get(conversationId) ?? 0) > heardBefore) return;
    if (head && !user.conversations.has(conversationId)) this.letIn(user, head);
    // A connection may have read of a conversation that this node never heard its user to be in.
    if (!head && heardBefore < rev) this.expel(user, conversationId, { rev });
  }

  /** Makes a lost invitation good: the user hears the conversation from where this node stands, and reads the rest. */
  private letIn(user: LocalUser, head: Standing): void {
    const { id: conversation_id } = head;
    const conversation = this.listenTo(head);
    user.heardOfMembership(conversation_id, head.rev);
    this.link(user, conversation);
    const { rev, marksRev: marks_rev } = conversation;
    this.sendTo(user, this.resetFrame(conversation_id, { since: 0, rev, marks_rev }));
    // Nobody listened to it yet, and so nothing was made good.
    if (conversation.isBehind(head.rev)) this.repair.start(conversation);
    void this.receipts.tellNewcomers(conversation, [user]);
  }

  /** Sends every socket home and forgets what it knew: the log may have gone back, and be behind what was told here. */
  startAnew(): void {
    const users = [...this.users.values()];
    // Handshakes that are under way belong to who was forgotten, and are sent home by `open`.
    this.users.clear();
    for (const connection of [...this.connections.values()]) connection.close(CLOSE.RESTARTING);
    for (const user of users) {
      clearTimeout(user.leaving);
      user.stopListening();
      user.stopListening = () => {};
    }
    for (const conversation of [...this.conversations.values()]) this.forget(conversation);
  }

  stop(): void {
    for (const { leaving } of this.users.values()) clearTimeout(leaving);
    this.stopListening();
  }

  private async load(user: LocalUser): Promise<void> {
    // First listen, then read: a membership that begins in between is heard, one that began before is read.
    user.meanwhile = [];
    user.stopListening = this.options.bus.subscribe(`user:${user.id}`, (news) => this.hearUser(user, news));
    const heads = await this.options.listHeads(user.id);
    const listening = this.options.turns.each(heads, (head) => this.link(user, this.listenTo(head)));
    if (user.conversations.size < heads.length) {
      // Of very many it takes a while, in which those that are not listened to yet go on.
      await listening;
      await this.hearAgain(user);
    }
    // Before it is waited for: what is settled by then would not be looked at again.
    this.catchUpOnceHeard(() => this.hearAgain(user));
    await this.joined();
    const meanwhile = user.meanwhile;
    user.meanwhile = undefined;
    for (const apply of meanwhile) apply();
  }

  /** Makes good what a user's conversations came to before they were listened to. */
  private async hearAgain(user: LocalUser): Promise<void> {
    const heads = await this.options.listHeads(user.id);
    await this.options.turns.each(heads, ({ id, rev }) => this.heardOf(id, rev));
  }

  /** The conversation, listened to from now on, standing where `head` says at the latest. */
  private listenTo(head: Pick<Standing, 'id' | 'rev'> & Partial<Standing>): LocalConversation {
    const known = this.conversations.get(head.id);
    if (known) return known;
    const conversation = new LocalConversation(head, this.hooks);
    conversation.stopListening = this.options.bus.subscribe(`conversation:${head.id}`, this.hear);
    this.conversations.set(head.id, conversation);
    return conversation;
  }

  private readonly hear = ({ conversation_id, changes = [], signals = [] }: ConversationNews): void => {
    const conversation = this.conversations.get(conversation_id);
    if (!conversation) return;
    for (const change of changes) conversation.take(change);
    for (const frame of signals) {
      if (frame.event === 'receipts') this.receipts.tell(conversation, frame);
      else this.publishTo(conversation.id, 'v1', JSON.stringify(frame));
    }
  };

  /** Publishes one change, and moves subscriptions with it: who joins hears it, who left hears it last. */
  private apply(conversation: LocalConversation, change: Change): void {
    const admitted = this.admit(change.joined ?? [], conversation, change.rev);
    this.publish(conversation, change);
    void this.receipts.tellNewcomers(conversation, admitted);
    for (const userId of change.left ?? []) {
      this.changeMembership(userId, (user) => {
        // Who was never heard to be in may have read that they are.
        if (!user.conversations.has(conversation.id)) this.expel(user, conversation.id, change);
        user.heardOfMembership(conversation.id, change.rev);
        this.unlink(user, conversation);
      });
    }
  }

  private publish(conversation: LocalConversation, { frame, plain, origin }: Change): void {
    this.publishTo(conversation.id, 'v1', this.textOf(conversation, frame));
    // Plain mode gets each message once, also where a repair told it before.
    if (!plain || plain.seq <= (conversation.seq ?? 0)) return;
    if (this.subscriptions.count(conversation.id, 'plain') === 0) return;
    const text = JSON.stringify(plain);
    const sender = origin === undefined ? undefined : this.connections.get(origin);
    // Publishing from a socket leaves that socket out.
    if (sender?.isPlain && !sender.options.echo) this.subscriptions.publish(conversation.id, 'plain', text, sender);
    else this.publishTo(conversation.id, 'plain', text);
  }

  /** A frame as JSON; of one that would cut all who read it a little late, only that the conversation is to be loaded anew. */
  private textOf({ id, rev, marksRev }: LocalConversation, frame: ServerFrame): string {
    const text = JSON.stringify(frame);
    if (text.length <= MAX_LIVE_FRAME_BYTES / 3 || Buffer.byteLength(text) <= MAX_LIVE_FRAME_BYTES) return text;
    return JSON.stringify(this.resetFrame(id, { since: rev - 1, rev, marks_rev: marksRev }));
  }

  /** Says that a conversation changed in a way that is not told here. */
  private resetFrame(
    conversation_id: string,
    to: { since: number; rev: number; marks_rev: number },
  ): FrameOf<'changes'> {
    const { current: epoch } = this.options.epoch;
    return { event: 'changes', conversation_id, ...to, epoch, reset: true, messages: [], has_more: false };
  }

  /** Publishes a stretch of changes as one frame. Who left in it hears that, and nothing that came after. */
  private tell(conversation: LocalConversation, { frame, joined, left, plain }: ToldChanges): void {
    const { id } = conversation;
    const admitted = this.admit(joined, conversation, frame.rev);
    for (const one of left) {
      this.changeMembership(one.id, (user) => {
        if (user.conversations.has(id)) this.expel(user, id, { rev: one.rev, participant: one });
      });
    }
    this.publishTo(id, 'v1', JSON.stringify(frame));
    for (const message of plain) this.publishTo(id, 'plain', JSON.stringify(message));
    void this.receipts.tellNewcomers(conversation, admitted);
  }

  /** Tells a user that they are out, and ends what they hear of the conversation. */
  private expel(user: LocalUser, conversation_id: string, left: { rev: number; participant?: Participant }): void {
    const conversation = user.conversations.get(conversation_id);
    const participants = left.participant ? [left.participant] : [];
    // Never behind what was told of the conversation before.
    const rev = Math.max(left.rev, conversation?.rev ?? 0);
    user.heardOfMembership(conversation_id, rev);
    this.sendTo(user, { event: 'participant.left', conversation_id, rev, participants });
    if (conversation) this.unlink(user, conversation);
  }

  private sendTo(user: LocalUser, frame: ServerFrame): void {
    for (const connection of user.sockets.values()) if (!connection.isPlain) connection.send(frame);
  }

  /** The sockets of `parley.v1` that hear a conversation. It asks every user, so that no conversation has to keep a list. */
  private listenersOf(conversationId: string): LocalSocket[] {
    const found: LocalSocket[] = [];
    for (const user of this.users.values()) {
      if (!user.conversations.has(conversationId)) continue;
      for (const connection of user.sockets.values()) if (!connection.isPlain) found.push(connection);
    }
    this.deliveries += found.length;
    return found;
  }

  private publishTo(id: string, mode: Mode, text: string): void {
    this.deliveries += this.subscriptions.count(id, mode);
    this.subscriptions.publish(id, mode, text);
  }

  /**
   * Lets users hear a conversation, as of `heardRev`; returns those who did not before. It is looked up when that happens:
   * it may have been let go and taken up anew.
   */
  private admit(userIds: string[], { id, rev, seq, marksRev }: LocalConversation, heardRev: number): LocalUser[] {
    const admitted: LocalUser[] = [];
    for (const userId of userIds) {
      this.changeMembership(userId, (user) => {
        if (!user.conversations.has(id)) admitted.push(user);
        user.heardOfMembership(id, heardRev);
        this.link(user, this.listenTo({ id, rev, seq, marks_rev: marksRev }));
      });
    }
    return admitted;
  }

  /** Applies a change of membership, after those that are being read. */
  private changeMembership(userId: string, apply: (user: LocalUser) => void): void {
    const user = this.users.get(userId);
    if (!user) return;
    if (user.meanwhile) user.meanwhile.push(() => apply(user));
    else apply(user);
  }

  private link(user: LocalUser, conversation: LocalConversation): void {
    if (user.conversations.has(conversation.id)) return;
    user.conversations.set(conversation.id, conversation);
    conversation.users++;
    for (const connection of user.sockets.values()) this.subscriptions.add(connection, conversation.id);
  }

  private unlink(user: LocalUser, conversation: LocalConversation): void {
    if (!user.conversations.delete(conversation.id)) return;
    for (const connection of user.sockets.values()) this.subscriptions.remove(connection, conversation.id);
    conversation.users--;
    if (conversation.users > 0) return;
    this.forget(conversation);
  }

  private forget(conversation: LocalConversation): void {
    conversation.close();
    // It may have been taken up anew meanwhile.
    if (this.conversations.get(conversation.id) !== conversation) return;
    this.conversations.delete(conversation.id);
    this.receipts.forget(conversation);
  }

  private hearUser(user: LocalUser, { kind, conversation_id, rev, change }: UserNews): void {
    if (this.users.get(user.id) !== user) return;
    if (kind === 'left') {
      // Heard here before, unless it came while their conversations were being read: then it is in the log.
      this.changeMembership(user.id, () => this.heardOf(conversation_id, rev));
      return;
    }
    // Listened to from just before the change that lets them in; the change itself makes them a listener.
    const conversation = this.listenTo({ id: conversation_id, rev: rev - 1 });
    if (change) conversation.take(change);
    this.catchUpOnceHeard(() => this.checkMembership(user.id, conversation_id, rev));
  }

  /** Resolves when other nodes are heard on all that was subscribed to, or after a while: a handshake waits for it. */
  private async joined(): Promise<void> {
    const settled = this.options.bus.settled();
    if (settled) await Promise.race([settled, Bun.sleep(MAX_JOIN_MS)]);
  }

  /** Another node may have published before this one was heard to listen: then the log is asked, as soon as it is. */
  private catchUpOnceHeard(catchUp: () => void | Promise<void>): void {
    const failed = (error: unknown) => this.options.log.warn({ err: error }, 'could not catch up with other nodes');
    this.options.bus.settled()?.then(catchUp).catch(failed);
  }

  private hearAccount(news: AccountNews): void {
    const user = this.users.get(news.user_id);
    if (!user) return;
    if (news.kind === 'user_changed') this.refreshName(user);
    else this.endSessions(user, new Set(news.session_ids));
  }

  private endSessions(user: LocalUser, sessionIds: Set<string>): void {
    for (const connection of [...user.sockets.values()]) {
      if (sessionIds.has(connection.sessionId)) connection.close(CLOSE.SESSION_OVER);
    }
  }

  private refreshName(user: LocalUser): void {
    this.options.usernameOf(user.id).then(
      (username) => {
        if (username !== undefined) user.username = username;
      },
      (error) => this.options.log.warn({ err: error, user_id: user.id }, 'a new name could not be read'),
    );
  }
}
