import { MAX_FRAME_BYTES } from '../protocol/limits.ts';
import { type BackoffOptions, backoff } from './backoff.ts';
import { ParleyError } from './errors.ts';
import type { ClientFrame, ErrorCode, FrameOf, Message, ReplyTo } from './protocol.ts';
import type { Storage } from './storage/storage.ts';
import { uuidv7 } from './uuid.ts';

/** A message on its way. Never changed: what becomes of it is a new object. */
export interface Outgoing {
  /** Where it stands among the others: the lowest is sent first. */
  position: string;
  client_id: string;
  conversation_id: string;
  content: string;
  reply_to?: ReplyTo;
  created_at: number;
  /** The server stored it. */
  ack?: Ack;
  /** The server refused it. */
  error?: { code: ErrorCode; message: string };
}

/** Where a message got its place. */
export type Ack = Pick<FrameOf<'ack'>, 'id' | 'seq' | 'rev' | 'sent_at'>;

export interface OutboxOptions {
  storage: Storage;
  /** Sends a frame; false where there is no connection. */
  send(frame: ClientFrame): boolean;
  /** The connection swallowed an acknowledgement: another is needed. */
  onSilence(): void;
  /** Called with each item that came, changed or went. */
  onChange(item: Outgoing): void;
  /** Called with what this tab did to an item, for the others to know. */
  tell(kind: 'queued' | 'settled' | 'discarded', item: Outgoing): void;
  onFailed(item: Outgoing): void;
  onError(error: ParleyError): void;
  backoff?: BackoffOptions;
}

/** Messages that may wait. */
const MAX_ITEMS = 1000;
/** Messages that may be sent and not yet answered, in as many conversations: so nothing can overtake another. */
const WINDOW = 16;
/** After how long an answer that does not come is given up, in milliseconds. */
const ACK_MS = 15_000;
/** After how long a tab no longer trusts the one that leads, and sends by itself: keys make that harmless. */
const IMPATIENT_MS = 20_000;

interface Waiter {
  resolve(ack: Ack): void;
  reject(error: ParleyError): void;
}

/**
 * Messages that are written and not yet stored by the server. Each is sent with a key that was made when it was written,
 * again and again until it is answered, so the server stores it once (PROTOCOL.md §7.1). Within a conversation one message
 * is sent at a time: whatever happens to it, the next does not come before it.
 */
export class Outbox {
  /** By their keys, in the order in which they are sent. */
  private readonly items = new Map<string, Outgoing>();
  private readonly waiters = new Map<string, Waiter>();
  /** Sent and not answered, with the timer that gives the answer up. */
  private readonly inFlight = new Map<string, ReturnType<typeof setTimeout>>();
  private prefix = '';
  private isLeading = false;
  private isOpen = false;
  private resting: ReturnType<typeof setTimeout> | undefined;
  private refusals = 0;
  private impatience: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: OutboxOptions) {}

  /** Reads what was left over from last time. */
  async load(prefix: string): Promise<void> {
    this.prefix = prefix;
    for (const item of await this.stored()) {
      this.put(item);
      // The tab that wrote it may have gone before it could say so.
      if (!item.error) this.options.tell('queued', item);
    }
  }

  /** Messages of one conversation, first to last. */
  of(conversationId: string): Outgoing[] {
    return [...this.items.values()].filter((item) => item.conversation_id === conversationId);
  }

  get size(): number {
    return this.items.size;
  }

  /**
   * Queues a message. `saved`: it is stored on the device; `acked`: the server stored it, or refused it. Where the device
   * can keep something at once (`isUrgent` of its storage), the message survives from the moment that this returns.
   */
  add(message: Pick<Outgoing, 'conversation_id' | 'content' | 'reply_to'>): Sending {
    if (this.items.size >= MAX_ITEMS) throw new ParleyError('outbox_full');
    const client_id = uuidv7();
    const item: Outgoing = { ...message, position: client_id, client_id, created_at: Date.now() };
    const acked = new Promise<Ack>((resolve, reject) => this.waiters.set(client_id, { resolve, reject }));
    acked.catch(() => {}); // nobody has to wait for it: the message itself shows that it failed
    const saved = this.queue(item);
    saved.catch(() => {}); // nor for this: it is told as an error of the background too
    return { client_id, saved, acked };
  }

  /** Sends a failed message again, behind those that wait. */
  async retry(clientId: string): Promise<void> {
    const item = this.items.get(clientId);
    if (!item?.error) return;
    const { error: _, ...again } = item;
    await this.queue({ ...again, position: uuidv7() });
  }

  /** Gives a message up. One that is on its way may arrive all the same. */
  async discard(clientId: string): Promise<void> {
    const item = this.items.get(clientId);
    if (!item) return;
    this.drop(item);
    await this.save({ [this.keyOf(item)]: undefined });
    this.options.tell('discarded', item);
  }

  // What other tabs did

  hearQueued(item: Outgoing): void {
    if (this.items.get(item.client_id)?.position !== item.position) this.put(item);
    this.drain();
  }

  hearSettled(item: Outgoing): void {
    if (item.error) this.fail(item, new ParleyError(item.error.code, item.error.message));
    else if (item.ack) this.confirmed(item, item.ack);
    this.drain();
  }

  hearDiscarded(clientId: string): void {
    const item = this.items.get(clientId);
    if (item) this.drop(item);
  }

  // Sending

  /** This tab sends for all from now on. What others have queued meanwhile is in the storage. */
  async lead(): Promise<void> {
    this.isLeading = true;
    try {
      for (const item of await this.stored()) if (!this.items.has(item.client_id)) this.put(item);
    } catch (error) {
      this.storageFailed(error);
    }
    this.drain();
  }

  /** The connection is there. */
  open(): void {
    this.isOpen = true;
    this.expectLead();
    this.drain();
  }

  /** The connection is gone: what was not answered is sent again on the next, with the same keys. */
  close(): void {
    this.isOpen = false;
    for (const timer of this.inFlight.values()) clearTimeout(timer);
    this.inFlight.clear();
    this.wakeUp();
    clearTimeout(this.impatience);
    this.impatience = undefined;
  }

  /** A frame was too large for the server: the largest of those on their way is the one. */
  failLargest(): void {
    const sizes = [...this.inFlight.keys()].map((id) => this.items.get(id)!).sort((a, b) => sizeOf(b) - sizeOf(a));
    if (sizes[0]) this.refuse(sizes[0], new ParleyError('payload_too_large'));
  }

  /** An answer came. Returns whether it was for a message of this outbox. */
  hearAck({ client_id, id, seq, rev, sent_at }: FrameOf<'ack'>): boolean {
    const item = this.items.get(client_id ?? '');
    if (!item) return false;
    this.confirm(item, { id, seq, rev, sent_at });
    return true;
  }

  hearError({ client_id, code, message, retryable }: FrameOf<'error'>): boolean {
    const item = this.items.get(client_id ?? '');
    if (!item || item.error || item.ack) return item !== undefined;
    this.landed(item);
    if (retryable) this.rest(backoff(this.refusals++, this.options.backoff));
    else this.refuse(item, new ParleyError(code, message));
    this.drain();
    return true;
  }

  /** A message of one's own came along: that is as good as its acknowledgement. */
  confirmBy({ client_id, id, seq, rev, sent_at }: Message): void {
    const item = this.items.get(client_id ?? '');
    if (item && !item.ack) this.confirm(item, { id, seq, rev, sent_at });
  }

  /** The store holds all of a conversation up to `rev`: what was acknowledged below that is shown from there. */
  forget(conversationId: string, rev: number): void {
    for (const item of this.items.values()) {
      if (item.conversation_id === conversationId && item.ack && item.ack.rev <= rev) this.items.delete(item.client_id);
    }
  }

  /** Forgets everything: somebody signed out. */
  end(): void {
    this.close();
    this.isLeading = false;
    const items = [...this.items.values()];
    this.items.clear();
    for (const item of items) this.options.onChange(item);
    for (const waiter of this.waiters.values()) waiter.reject(new ParleyError('signed_out'));
    this.waiters.clear();
  }

  /** Another tab leads, or nobody. */
  follow(): void {
    this.isLeading = false;
  }

  private async queue(item: Outgoing): Promise<void> {
    // First: what is shown is kept.
    const saved = this.options.storage.write({ [this.keyOf(item)]: item }, { isUrgent: true });
    this.put(item);
    this.drain();
    this.expectLead();
    try {
      await saved;
    } catch (error) {
      // A device that cannot store it sends it all the same.
      throw this.storageFailed(error);
    } finally {
      // Only now, for whoever sends it may delete it.
      this.options.tell('queued', item);
    }
  }

  /** Whatever waits while another tab leads is watched. */
  private expectLead(): void {
    if (!this.isOpen || this.isLeading || ![...this.items.values()].some(isWaiting)) return;
    this.impatience ??= setTimeout(() => this.takeOver(), IMPATIENT_MS);
  }

  /** A tab that the system froze may hold the lead. */
  private takeOver(): void {
    this.impatience = undefined;
    const now = Date.now();
    const isStuck = [...this.items.values()].some((item) => isWaiting(item) && now - item.created_at >= IMPATIENT_MS);
    if (isStuck) void this.lead();
    else this.expectLead();
  }

  private drain(): void {
    if (!this.isLeading || !this.isOpen || this.resting) return;
    const busy = new Set([...this.inFlight.keys()].map((id) => this.items.get(id)?.conversation_id));
    for (const item of this.items.values()) {
      if (this.inFlight.size >= WINDOW) return;
      if (!isWaiting(item) || busy.has(item.conversation_id)) continue;
      if (sizeOf(item) > MAX_FRAME_BYTES) {
        this.refuse(item, new ParleyError('payload_too_large'));
        continue;
      }
      busy.add(item.conversation_id);
      if (!this.options.send(frameOf(item))) return;
      this.inFlight.set(
        item.client_id,
        setTimeout(() => this.options.onSilence(), ACK_MS),
      );
    }
  }

  private confirm(item: Outgoing, ack: Ack): void {
    this.refusals = 0;
    this.confirmed(item, ack);
    void this.save({ [this.keyOf(item)]: undefined });
    this.options.tell('settled', { ...item, ack });
    this.drain();
  }

  private confirmed(item: Outgoing, ack: Ack): void {
    this.landed(item);
    // It is shown as sent until the store has it.
    if (this.items.has(item.client_id)) this.put({ ...item, ack, error: undefined });
    this.waiters.get(item.client_id)?.resolve(ack);
    this.waiters.delete(item.client_id);
  }

  private refuse(item: Outgoing, error: ParleyError): void {
    const failed: Outgoing = { ...item, error: { code: error.code as ErrorCode, message: error.message } };
    this.fail(failed, error);
    void this.save({ [this.keyOf(failed)]: failed });
    this.options.tell('settled', failed);
    this.options.onFailed(failed);
  }

  private fail(item: Outgoing, error: ParleyError): void {
    this.landed(item);
    this.put(item);
    this.waiters.get(item.client_id)?.reject(error);
    this.waiters.delete(item.client_id);
  }

  private drop(item: Outgoing): void {
    this.landed(item);
    this.items.delete(item.client_id);
    this.waiters.get(item.client_id)?.reject(new ParleyError('aborted'));
    this.waiters.delete(item.client_id);
    this.options.onChange(item);
    this.drain();
  }

  private put(item: Outgoing): void {
    const before = this.items.get(item.client_id);
    // Whatever is tried again stands behind the others.
    if (before && before.position !== item.position) this.items.delete(item.client_id);
    this.items.set(item.client_id, item);
    this.options.onChange(item);
  }

  private landed({ client_id }: Outgoing): void {
    clearTimeout(this.inFlight.get(client_id));
    this.inFlight.delete(client_id);
  }

  /** The server has no room at the moment: nothing is sent for a while. */
  private rest(ms: number): void {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.wakeUp();
      this.drain();
    }, ms);
  }

  private wakeUp(): void {
    clearTimeout(this.resting);
    this.resting = undefined;
  }

  private keyOf({ client_id }: Outgoing): string {
    return this.prefix + client_id;
  }

  /** What the device holds, first to last. */
  private async stored(): Promise<Outgoing[]> {
    const items = (await this.options.storage.list(this.prefix)).map(([, item]) => item as Outgoing);
    return items.sort((one, other) => (one.position < other.position ? -1 : 1));
  }

  private async save(batch: Record<string, unknown>): Promise<void> {
    await this.options.storage.write(batch).catch((error) => this.storageFailed(error));
  }

  private storageFailed(cause: unknown): ParleyError {
    const error = new ParleyError('storage', undefined, { cause });
    this.options.onError(error);
    return error;
  }
}

/** A message that was handed to the outbox. */
export interface Sending {
  /** Names it, for `retry` and `discard`; it is the `key` of its view. */
  client_id: string;
  /** Resolves once it is stored on the device; rejects with `storage` where that failed, and is sent all the same. */
  saved: Promise<void>;
  /** Resolves once the server has it on stable storage; rejects where the server refused it. May take days. */
  acked: Promise<Ack>;
}

function isWaiting({ ack, error }: Outgoing): boolean {
  return !ack && !error;
}

function frameOf({ client_id, conversation_id, content, reply_to }: Outgoing): ClientFrame {
  return { event: 'message.send', client_id, conversation_id, content, reply_to: reply_to?.id };
}

function sizeOf(item: Outgoing): number {
  return new TextEncoder().encode(JSON.stringify(frameOf(item))).length;
}
