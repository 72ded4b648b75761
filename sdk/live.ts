import { ParleyError } from './errors.ts';
import type { Emitter } from './events.ts';
import type { MarkSender } from './marks.ts';
import type { Outbox } from './outbox.ts';
import type { Presence } from './presence.ts';
import type { FrameOf, Head, ServerFrame } from './protocol.ts';
import type { Copy, News } from './store/copy.ts';
import type { Store } from './store/store.ts';
import type { Synchronizer } from './sync/synchronizer.ts';
import type { Typing } from './typing.ts';

export interface LiveOptions {
  store: Store;
  synchronizer: Synchronizer;
  outbox: Outbox;
  typing: Typing;
  presence: Presence;
  marks: MarkSender;
  emitter: Emitter;
  onDraining(): void;
}

type Handlers = { [E in ServerFrame['event']]?: (frame: FrameOf<E>) => void };

/** What comes over the connection, and what follows from it. */
export class Live {
  constructor(private readonly options: LiveOptions) {}

  hear(frame: ServerFrame): void {
    (this.handlers[frame.event] as ((frame: ServerFrame) => void) | undefined)?.(frame);
  }

  /** A copy moved on: what is new is told, and the server is told that it has come. */
  advanced(copy: Copy, { fresh, updated, isReformed }: News): void {
    const { store, outbox, typing, marks, emitter } = this.options;
    const me = store.me.id;
    for (const message of fresh) {
      typing.ended(copy.id, message.sender_id);
      if (message.sender_id === me) outbox.confirmBy(message);
    }
    outbox.forget(copy.id, copy.rev);
    if (copy.mark({ user_id: me, delivered_seq: copy.seq, read_seq: 0 })) marks.note('delivered', copy.id, copy.seq);
    for (const message of fresh) emitter.emit('message', message);
    for (const message of updated) emitter.emit('message.updated', message);
    const view = isReformed ? store.conversation(copy.id).get() : undefined;
    if (view) emitter.emit('conversation', view);
  }

  /** The server may have lost the last second of marks, or never heard of those made offline. */
  sayMarksAgain({ id, read_seq, delivered_seq }: Head, copy: Copy): void {
    const { store, marks } = this.options;
    copy.mark({ user_id: store.me.id, delivered_seq: copy.seq, read_seq });
    const own = copy.markOf(store.me.id);
    if (own.read_seq > read_seq) marks.note('read', id, own.read_seq);
    if (own.delivered_seq > delivered_seq) marks.note('delivered', id, own.delivered_seq);
    store.touch(id);
  }

  private readonly handlers: Handlers = {
    message: (frame) => this.options.synchronizer.change(frame),
    'message.updated': (frame) => this.options.synchronizer.change(frame),
    'conversation.created': (frame) => this.options.synchronizer.change(frame),
    'conversation.updated': (frame) => this.options.synchronizer.change(frame),
    'participant.joined': (frame) => this.options.synchronizer.change(frame),
    'participant.left': (frame) => this.options.synchronizer.change(frame),
    'participant.updated': (frame) => this.options.synchronizer.change(frame),
    changes: (frame) => this.options.synchronizer.changes(frame),

    receipts: (frame) => {
      const { conversation_id, marks } = frame;
      this.options.synchronizer.receipts(frame);
      this.options.emitter.emit('receipts', { conversation_id, marks });
    },

    ack: (frame) => {
      const { store, outbox } = this.options;
      if (!outbox.hearAck(frame)) return;
      // Of a conversation that is not held, nothing more will come that shows the message.
      outbox.forget(frame.conversation_id, store.get(frame.conversation_id)?.rev ?? Number.POSITIVE_INFINITY);
      store.touch(frame.conversation_id);
    },

    error: (frame) => {
      if (this.options.outbox.hearError(frame)) return;
      // Marks and typing may come after one was removed.
      if (frame.code === 'conversation_not_found') return;
      const { code, message, retryable } = frame;
      this.options.emitter.emit('error', new ParleyError(code, message, { retryable }));
    },

    typing: ({ event: _, ...typing }) => {
      if (typing.user_id === this.options.store.me.id) return;
      this.options.typing.hear(typing);
      this.options.emitter.emit('typing', typing);
    },

    presence: ({ event: _, ...presence }) => {
      this.options.presence.hear(presence);
      this.options.emitter.emit('presence', presence);
    },

    draining: () => this.options.onDraining(),
  };
}
