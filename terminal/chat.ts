import { systemText } from '../protocol/system-text.ts';
import { type ConversationView, type MessageView, type ParleyClient, ParleyError } from '../sdk/index.ts';
import type { Message, User } from '../sdk/protocol.ts';
import type { Terminal } from './terminal.ts';

/** Messages of a conversation that are shown when it is opened. */
const SHOWN = 20;

const HELP = `What you can do:
/list                your conversations
/open <number>       one of that list
@name                the direct conversation with somebody
/group <name> @a @b  a new group
/who                 who is here
/older               messages before those shown
/retry               send again what was refused
/quit                leave; /logout also wipes what is kept on this device
Anything else is sent to the open conversation.`;

/** Reads lines until the end, and prints what comes. */
export class Chat {
  private open: ConversationView | undefined;
  private listed: readonly ConversationView[] = [];
  private isOver = false;

  constructor(
    private readonly client: ParleyClient,
    private readonly terminal: Terminal,
    private readonly user: User,
  ) {}

  async run(): Promise<void> {
    const { client, terminal } = this;
    client.on('message', (message) => this.show(message));
    client.on('failed', ({ content, error }) => terminal.say(`! not sent (${error?.message}): ${content}`));
    client.on('state', (state) => {
      if (state === 'restricted') terminal.say('* Your account has something to do first: open Parley in a browser');
      else if (state !== 'connecting' && state !== 'syncing') terminal.say(`* ${state}`);
    });
    client.on('signed_out', ({ reason }) => {
      this.isOver = true;
      terminal.say(`* signed out (${reason})`);
      terminal.close();
    });
    terminal.onKey = () => this.open && client.conversations.typing(this.open.id);
    while (!this.isOver) {
      const line = await terminal.next(this.open ? `${this.open.title}> ` : '> ');
      if (line === undefined) break;
      await this.obey(line.trim()).catch((error) => terminal.say(`! ${ParleyError.from(error).message}`));
    }
  }

  private readonly commands: Record<string, (argument: string) => unknown> = {
    help: () => this.terminal.say(HELP),
    list: () => this.list(),
    open: (argument) => this.choose(Number(argument)),
    group: (argument) => this.group(argument),
    who: () => this.who(),
    older: () => this.older(),
    retry: () => this.retry(),
    quit: () => {
      this.isOver = true;
    },
    logout: () => this.client.account.logout(),
  };

  private async obey(line: string): Promise<void> {
    if (line === '') return;
    const [, command, argument = ''] = /^\/(\w+)\s*(.*)$/.exec(line) ?? [];
    if (command) await (this.commands[command] ?? this.commands.help)!(argument);
    else if (/^@\S+$/.test(line)) await this.enter(await this.direct(line.slice(1)));
    else await this.send(line);
  }

  private async send(content: string): Promise<void> {
    if (!this.open) {
      this.terminal.say('Open a conversation first: /list, or @name.');
      return;
    }
    // Resolves when it would survive the end of this program; it is printed when it is stored.
    await this.client.messages.send(this.open.id, content).saved;
  }

  private list(): void {
    this.listed = this.client.store.conversations.get();
    if (this.listed.length === 0) this.terminal.say('No conversations yet: @name starts one.');
    for (const [index, { title, unread_count, last_message }] of this.listed.entries()) {
      const unread = unread_count > 0 ? ` (${unread_count} new)` : '';
      this.terminal.say(
        `  ${index + 1}  ${title}${unread}  ${last_message ? this.textOf(last_message).slice(0, 40) : ''}`,
      );
    }
  }

  private async choose(number: number): Promise<void> {
    if (this.listed.length === 0) this.listed = this.client.store.conversations.get();
    const conversation = this.listed[number - 1];
    if (conversation) await this.enter(conversation);
    else this.terminal.say('There is no such number in /list.');
  }

  private async direct(username: string): Promise<ConversationView> {
    return this.client.conversations.openDirect(await this.idOf(username));
  }

  private async group(argument: string): Promise<void> {
    const names = [...argument.matchAll(/@(\S+)/g)].map(([, name]) => name!);
    const name = argument.replace(/@\S+/g, '').trim();
    const ids = await Promise.all(names.map((one) => this.idOf(one)));
    await this.enter(await this.client.conversations.createGroup(name, ids));
  }

  private async idOf(username: string): Promise<string> {
    const { users } = await this.client.api.searchUsers(username, { limit: 10 });
    const found = users.find((user) => user.username.toLowerCase() === username.toLowerCase());
    if (!found) throw new ParleyError('user_not_found');
    return found.id;
  }

  private async enter(conversation: ConversationView): Promise<void> {
    this.open = conversation;
    await this.client.conversations.open(conversation.id);
    this.terminal.say(`--- ${conversation.title}`);
    for (const message of this.messages().slice(-SHOWN)) this.print(message);
    this.client.conversations.read(conversation.id);
  }

  private async older(): Promise<void> {
    const { open } = this;
    if (!open) return;
    const before = this.messages().length;
    await this.client.conversations.loadOlder(open.id, SHOWN);
    for (const message of this.messages().slice(0, this.messages().length - before)) this.print(message);
  }

  private who(): void {
    const { open } = this;
    if (!open) return;
    for (const one of this.client.store.conversation(open.id).get()?.participants ?? []) {
      this.terminal.say(`  @${one.username}  ${one.display_name}${one.participant_role === 'admin' ? ' (admin)' : ''}`);
    }
  }

  private async retry(): Promise<void> {
    for (const { key, status } of this.messages()) if (status === 'failed') await this.client.messages.retry(key);
  }

  private messages(): readonly MessageView[] {
    return this.open ? this.client.store.messages(this.open.id).get() : [];
  }

  /** A new message: in full where its conversation is open, else a hint. */
  private show(message: Message): void {
    const { open } = this;
    if (message.conversation_id === open?.id) {
      this.print(message);
      this.client.conversations.read(open.id);
    } else if (message.sender_id !== this.user.id) {
      const title = this.client.store.conversation(message.conversation_id).get()?.title ?? '';
      this.terminal.say(`(${title}) ${message.sender_username}: ${message.content}`);
    }
  }

  private print(message: Message): void {
    const { type, sender_username, sent_at, deleted_at, edited_at, reply_to } = message;
    const time = new Date(sent_at).toTimeString().slice(0, 5);
    const quote = reply_to ? ` > ${reply_to.excerpt}\n` : ' ';
    const body = deleted_at ? '(deleted)' : `${this.textOf(message)}${edited_at ? ' (edited)' : ''}`;
    this.terminal.say(type === 'system' ? `${time} * ${body}` : `${time} ${sender_username}:${quote}${body}`);
  }

  /** What a message says: a system message with the names of now, as far as they are known here. */
  private textOf({ conversation_id, content, system }: Message): string {
    if (!system) return content;
    const nameOf = (id: string) => this.client.store.participant(conversation_id, id)?.username;
    return nameOf(system.by) === undefined ? content : systemText(system, nameOf);
  }
}
