import { type ConversationView, type MessageView, ParleyError } from '../sdk.ts';
import { strings } from '../strings.ts';
import { copy } from './clipboard.ts';
import { conversations } from './conversations.svelte.ts';
import { drafts } from './drafts.svelte.ts';
import { failureText } from './failure.ts';
import { Live } from './live.ts';
import { parley } from './parley.ts';
import { session } from './session.svelte.ts';
import { Timeline } from './timeline.svelte.ts';
import { toasts } from './toasts.svelte.ts';

/** Characters of a message; unknown until the server was heard, which then says itself what is too long. */
const maxLength = new Live(parley.maxMessageLength);

function overBy(text: string): number {
  return Math.max(0, [...text.trim()].length - (maxLength.value ?? Number.POSITIVE_INFINITY));
}

/** The open conversation: what it holds, what is being written, and what can be done with its messages. */
export class Chat {
  readonly timeline: Timeline;
  replyTo = $state.raw<MessageView | undefined>();
  editing = $state.raw<MessageView | undefined>();
  /** What an edit has come to; the draft waits meanwhile. */
  editText = $state('');
  readonly #view: Live<ConversationView | undefined>;

  constructor(readonly id: string) {
    this.timeline = new Timeline(id);
    this.#view = new Live(parley.store.conversation(id));
  }

  get view(): ConversationView | undefined {
    return this.#view.value;
  }

  get text(): string {
    return this.editing ? this.editText : drafts.of(this.id);
  }

  set text(text: string) {
    if (this.editing) this.editText = text;
    else drafts.put(this.id, text);
  }

  /** Characters beyond what a message may have. */
  readonly over = $derived.by(() => overBy(this.text));

  /** Why the server refused a message. */
  refusalOf({ content, error }: MessageView): string {
    const over = overBy(content);
    if (error?.code === 'validation_failed' && over > 0) return strings.composer.tooLong(over);
    return error ? failureText(error) : '';
  }

  nameOf(userId: string): string | undefined {
    if (userId === session.user?.id) return session.user.display_name;
    return conversations.nameOf(this.id, userId);
  }

  typed(): void {
    if (this.editing) return;
    parley.conversations.typing(this.id, this.text.trim() !== '');
  }

  /** Sends, or saves an edit. */
  submit(): void {
    const text = this.text.trim();
    if (text === '' || this.over > 0) return;
    if (this.editing) {
      const { editing } = this;
      this.cancel();
      if (text !== editing.content) void this.#saveEdit(editing, text);
      return;
    }
    void toasts.attempt(async () => {
      const { saved } = parley.messages.send(this.id, text, { replyTo: this.replyTo?.id });
      // From here on the outbox keeps it, through a reload too.
      drafts.put(this.id, '');
      saved.catch(() => toasts.say(strings.chat.notStored, true));
      this.replyTo = undefined;
      this.timeline.newFrom = undefined;
      this.timeline.follow();
    });
  }

  reply(message: MessageView): void {
    this.editing = undefined;
    this.replyTo = message;
  }

  edit(message: MessageView): void {
    this.replyTo = undefined;
    this.editing = message;
    this.editText = message.content;
  }

  /**
   * Begins to edit the last message of one's own, also while it is on its way: never one before it. One that was refused
   * comes back into the field.
   */
  editLast(): void {
    const last = this.timeline.messages.findLast(
      ({ mine, type, deleted_at }) => mine && type === 'text' && deleted_at === undefined,
    );
    if (!last) return;
    if (last.status === 'failed') this.rewrite(last);
    else if (isSettled(last) || session.isOnline) this.edit(last);
  }

  async #saveEdit(message: MessageView, text: string): Promise<void> {
    const isSaved = await toasts.attempt(async () =>
      parley.messages.edit(this.id, await this.#storedId(message.key), text),
    );
    if (isSaved || this.editing || drafts.of(this.id) !== '') return;
    // What was typed is not lost with the attempt.
    this.edit(message);
    this.editText = text;
  }

  /** The id that the server gave a message, once it has it; rejects where it is refused, or given up. */
  #storedId(key: string): Promise<string> {
    return new Promise((resolve, reject) => {
      // It is called at once, before there is anything to stop.
      let stop = () => {};
      let isOver = false;
      const look = (messages: readonly MessageView[]) => {
        const message = messages.find((one) => one.key === key);
        if (message && message.status !== 'failed' && message.seq === 0) return;
        isOver = true;
        stop();
        if (message && message.seq > 0) resolve(message.id);
        else reject(new ParleyError(message?.error?.code ?? 'message_not_found'));
      };
      stop = parley.store.messages(this.id).subscribe(look);
      if (isOver) stop();
    });
  }

  cancel(): void {
    this.replyTo = undefined;
    this.editing = undefined;
  }

  canEdit(message: MessageView): boolean {
    return message.mine && isSettled(message) && message.type === 'text';
  }

  canRemove(message: MessageView): boolean {
    return isSettled(message) && message.type === 'text' && (message.mine || this.#moderates);
  }

  canAnswer(message: MessageView): boolean {
    return isSettled(message) && message.type === 'text';
  }

  remove(message: MessageView): void {
    void toasts.attempt(() => parley.messages.delete(this.id, message.id));
  }

  toggle(message: MessageView, emoji: string): void {
    const isMine = message.reactions?.some((one) => one.emoji === emoji && one.me) ?? false;
    void toasts.attempt(() =>
      isMine ? parley.messages.unreact(this.id, message.id, emoji) : parley.messages.react(this.id, message.id, emoji),
    );
  }

  retry(message: MessageView): void {
    void toasts.attempt(() => parley.messages.retry(message.key));
  }

  /** Takes a message that was refused back into the field, before what is written there. */
  rewrite(message: MessageView): void {
    this.editing = undefined;
    this.text = [message.content, this.text].filter((text) => text !== '').join('\n\n');
    this.replyTo = this.timeline.messages.find(({ id }) => id === message.reply_to?.id);
    this.discard(message);
  }

  discard(message: MessageView): void {
    void toasts.attempt(() => parley.messages.discard(message.key));
  }

  copy(message: MessageView): Promise<void> {
    return copy(message.content);
  }

  /** Marks as read up to a message, or all. */
  read(seq?: number): void {
    const { view } = this;
    if (!view || view.unread_count === 0 || (seq !== undefined && seq <= view.read_seq)) return;
    parley.conversations.read(this.id, seq);
  }

  // The group

  rename(name: string): Promise<boolean> {
    return toasts.attempt(() => parley.api.rename(this.id, name));
  }

  add(userIds: string[]): Promise<boolean> {
    return toasts.attempt(() => parley.api.addParticipants(this.id, userIds));
  }

  removeMember(userId: string): Promise<boolean> {
    return toasts.attempt(() => parley.api.removeParticipant(this.id, userId));
  }

  changeRole(userId: string, role: 'admin' | 'member'): Promise<boolean> {
    return toasts.attempt(() => parley.api.changeRole(this.id, userId, role));
  }

  leave(): Promise<boolean> {
    return toasts.attempt(() => parley.api.removeParticipant(this.id, session.user?.id ?? ''));
  }

  loadMembers(): Promise<boolean> {
    return toasts.attempt(() => parley.conversations.loadParticipants(this.id));
  }

  get #moderates(): boolean {
    return this.view?.type === 'group' && this.view.role === 'admin';
  }
}

/** Stored by the server, and not deleted: something can be done with it. */
function isSettled(message: MessageView): boolean {
  return message.deleted_at === undefined && message.seq > 0 && message.status !== 'failed';
}
