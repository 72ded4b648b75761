import { TYPING_MS } from '../protocol/limits.ts';
import type { ClientFrame, FrameOf } from './protocol.ts';
import type { Typist } from './views.ts';

/** Typing is said again this often, well before it would die, in milliseconds. */
const RENEW_MS = 3000;
/** Who presses no key for so long has stopped, in milliseconds. */
const PAUSE_MS = 4000;

type Timer = ReturnType<typeof setTimeout>;

/** Who is typing where: oneself, told to others, and others, as they told. */
export class Typing {
  /** Conversations in which one is typing oneself: when it was last said, and what ends it. */
  private readonly own = new Map<string, { saidAt: number; pause: Timer }>();
  private readonly others = new Map<string, Map<string, { typist: Typist; end: Timer }>>();

  constructor(
    private readonly send: (frame: ClientFrame) => boolean,
    private readonly onChange: (conversationId: string) => void,
  ) {}

  /** To be called at each keystroke: told at most every 3 s, and ends by itself after 4 s without one. */
  press(conversation_id: string): void {
    const before = this.own.get(conversation_id);
    clearTimeout(before?.pause);
    const now = Date.now();
    let saidAt = before?.saidAt ?? 0;
    if (now - saidAt >= RENEW_MS && this.send({ event: 'typing', conversation_id, active: true })) saidAt = now;
    this.own.set(conversation_id, { saidAt, pause: setTimeout(() => this.stop(conversation_id), PAUSE_MS) });
  }

  /** One types no longer. */
  stop(conversation_id: string): void {
    if (this.sent(conversation_id)) this.send({ event: 'typing', conversation_id, active: false });
  }

  /** A message was sent: everybody sees by it that one types no longer. Returns whether one was. */
  sent(conversation_id: string): boolean {
    clearTimeout(this.own.get(conversation_id)?.pause);
    return this.own.delete(conversation_id);
  }

  in(conversationId: string): Typist[] {
    return [...(this.others.get(conversationId)?.values() ?? [])].map(({ typist }) => typist);
  }

  hear({ conversation_id, user_id, username, active }: Omit<FrameOf<'typing'>, 'event'>): void {
    const typists = this.others.get(conversation_id) ?? new Map();
    const before = typists.get(user_id);
    clearTimeout(before?.end);
    if (active) {
      const end = setTimeout(() => this.ended(conversation_id, user_id), TYPING_MS);
      const typist = before?.typist ?? { user_id, username };
      typists.set(user_id, { typist, end });
      this.others.set(conversation_id, typists);
      if (!before) this.onChange(conversation_id);
    } else this.ended(conversation_id, user_id);
  }

  /** Somebody stopped, or what they typed has come. */
  ended(conversationId: string, userId: string): void {
    const typists = this.others.get(conversationId);
    clearTimeout(typists?.get(userId)?.end);
    if (!typists?.delete(userId)) return;
    if (typists.size === 0) this.others.delete(conversationId);
    this.onChange(conversationId);
  }

  /** The connection is gone: nobody can be heard typing. */
  forget(): void {
    for (const { pause } of this.own.values()) clearTimeout(pause);
    this.own.clear();
    for (const [conversationId, typists] of [...this.others]) {
      for (const userId of [...typists.keys()]) this.ended(conversationId, userId);
    }
  }
}
