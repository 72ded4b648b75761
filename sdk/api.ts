import { ParleyError } from './errors.ts';
import type { Http, RequestOptions } from './http.ts';
import type {
  CatchUp,
  Changes,
  Entry,
  Mark,
  Message,
  Participant,
  ParticipantRole,
  PublicUser,
  ServerInfo,
  Sync,
  User,
} from './protocol.ts';
import type { Session } from './session.ts';

/** A page of history: oldest to newest, at least as new as `rev`; `next_cursor` leads to older ones. */
export interface MessagePage {
  messages: Message[];
  has_more: boolean;
  next_cursor?: string;
  rev: number;
}

/** Which page of a list. */
export interface PageOptions {
  /** How many at most; each call says its bounds. Beyond them it is `validation_failed`. */
  limit?: number;
  /** `next_cursor` of the page before; left out: the first page. */
  cursor?: string;
  /** Breaks the call off: it fails with `aborted`. */
  signal?: AbortSignal;
}

/**
 * The REST interface, call by call, as the signed-in user. What it answers is not kept: the client's `store` is. Calls about
 * one's own account are in `client.account`, which keeps what they change.
 *
 * Every call fails with a `ParleyError`; besides the codes that stand beside it, each may fail with `signed_out`, `network`,
 * `timeout`, `rate_limited` or `unavailable`. Whoever is not in a conversation gets `conversation_not_found` for all of it.
 */
export class Api {
  constructor(
    private readonly http: Http,
    private readonly session: Session,
  ) {}

  /** Whose server this is, and what it asks of accounts; for everybody, signed in or not. */
  serverInfo(): Promise<ServerInfo> {
    return this.http.request('GET', '/server');
  }

  // Users

  /** Oneself, with all fields. `account.refresh` keeps them too. */
  me(): Promise<User> {
    return this.call('GET', '/auth/me');
  }

  /**
   * Sets a password of 8 to 128 characters, and ends all other sessions. A wrong current one is `invalid_credentials`.
   */
  changePassword(body: { current_password: string; new_password: string }): Promise<{ success: true }> {
    return this.call('POST', '/auth/password', { body });
  }

  // Links of letters: for whoever has them, signed in or not

  /** Sends a letter with a link for another password to an address, if an account has it. `mail_unavailable`. */
  async forgotPassword(body: { email: string }): Promise<void> {
    await this.http.request('POST', '/auth/password/forgot', { body });
  }

  /** Confirms an address by the token of a link. `link_expired`. `account.verifyEmail` takes a code too. */
  async verifyEmail(body: { token: string }): Promise<void> {
    await this.http.request('POST', '/auth/email/verify', { body });
  }

  /** Oneself, as the client shows it from now on. @internal */
  async refresh(): Promise<User> {
    const user = await this.me();
    await this.session.changeUser(user);
    return user;
  }

  /**
   * Changes what is given: a display name of 1 to 100 characters, a status of at most 200 (an empty one takes it away), a
   * username of 3 to 50 (`username_taken`).
   */
  updateMe(body: { display_name?: string; status?: string; username?: string }): Promise<User> {
    return this.call('PATCH', '/users/me', { body });
  }

  /** Deletes one's account for good; messages stay, under "deleted user". A wrong password is `invalid_credentials`. */
  deleteMe(body: { password: string }): Promise<{ success: true }> {
    return this.call('DELETE', '/users/me', { body });
  }

  /** Somebody as others see them; `user_not_found`. */
  user(id: string): Promise<PublicUser> {
    return this.call('GET', `/users/${id}`);
  }

  /**
   * People whose username or display name begins so, or whose whole e-mail address this is; all, where the query is empty.
   * In pages of 1 to 100, by default 50.
   */
  searchUsers(query: string, page: PageOptions = {}): Promise<{ users: PublicUser[]; next_cursor?: string }> {
    const { signal, ...rest } = page;
    return this.call('GET', '/users', { query: { query, ...rest }, signal });
  }

  // Conversations

  /** The direct conversation with somebody, opened where there is none: `is_new`. `user_not_found`. */
  openDirect(who: { participant_id: string } | { participant_email: string }): Promise<Entry & { is_new: boolean }> {
    return this.call('POST', '/conversations', { body: who });
  }

  /**
   * A new group, with oneself as its admin: a name of 1 to 100 characters, at most 1,000 ids and as many addresses.
   * `user_not_found` where one of them has no account; then nothing is made.
   */
  createGroup(body: {
    name: string;
    participant_ids?: string[];
    participant_emails?: string[];
  }): Promise<Entry & { is_new: boolean }> {
    return this.call('POST', '/conversations', { body });
  }

  /** One's conversations, latest activity first, in pages of 1 to 100, by default 100. */
  conversations(page: PageOptions = {}): Promise<{ conversations: Entry[]; count: number; next_cursor?: string }> {
    const { signal, ...query } = page;
    return this.call('GET', '/conversations', { query, signal });
  }

  /** A conversation with its last message and its first 100 participants. */
  conversation(id: string, signal?: AbortSignal): Promise<Entry> {
    return this.call('GET', `/conversations/${id}`, { signal });
  }

  /** Renames a group: 1 to 100 characters; `forbidden` but for its admins. */
  rename(id: string, name: string): Promise<Entry> {
    return this.call('PATCH', `/conversations/${id}`, { body: { name } });
  }

  /** Who is in a conversation, longest in first, in pages of 1 to 500, by default 100. */
  participants(id: string, page: PageOptions = {}): Promise<{ participants: Participant[]; next_cursor?: string }> {
    const { signal, ...query } = page;
    return this.call('GET', `/conversations/${id}/participants`, { query, signal });
  }

  /**
   * Adds 1 to 1,000 people to a group; who is in already stays as they are. `forbidden` but for its admins,
   * `user_not_found` where one cannot be added.
   */
  addParticipants(id: string, userIds: string[]): Promise<Entry> {
    return this.call('POST', `/conversations/${id}/participants`, { body: { user_ids: userIds } });
  }

  /** Removes somebody from a group, which its admins may (`forbidden`), or leaves it; `cannot_leave_direct`. */
  removeParticipant(id: string, userId: string): Promise<{ success: true }> {
    return this.call('DELETE', `/conversations/${id}/participants/${userId}`);
  }

  /** Makes somebody an admin of a group, or a member; `forbidden` but for its admins, and where no admin would be left. */
  changeRole(id: string, userId: string, role: ParticipantRole): Promise<Entry> {
    return this.call('PATCH', `/conversations/${id}/participants/${userId}`, { body: { participant_role: role } });
  }

  // Messages

  /**
   * A page of 1 to 100 messages, by default 50, the newest first; or the one with the message `around` in its middle
   * (`message_not_found`).
   */
  messages(id: string, page: PageOptions & { around?: string } = {}): Promise<MessagePage> {
    const { signal, ...query } = page;
    return this.call('GET', `/conversations/${id}/messages`, { query, signal });
  }

  /**
   * Sends without the outbox: once, now. `client_id`, 1 to 64 characters, makes it safe to repeat. `content` is 1 to
   * `maxMessageLength` characters; `message_not_found` where what it replies to is not there.
   */
  send(id: string, body: { content: string; client_id?: string; reply_to?: string }): Promise<Message> {
    return this.call('POST', `/conversations/${id}/messages`, { body });
  }

  /** Edits a message of one's own (`forbidden`). `stale` where it is deleted, or was changed since `if_rev`. */
  edit(id: string, messageId: string, body: { content: string; if_rev?: number }): Promise<Message> {
    return this.call('PATCH', `/conversations/${id}/messages/${messageId}`, { body });
  }

  /** Deletes a message, for its sender and the admins of its group (`forbidden`); answers the tombstone. */
  delete(id: string, messageId: string): Promise<Message> {
    return this.call('DELETE', `/conversations/${id}/messages/${messageId}`);
  }

  /** Adds one's reaction, a single emoji; at most 50 kinds for a message. `stale` where the message is deleted. */
  react(id: string, messageId: string, emoji: string): Promise<Message> {
    return this.call('PUT', `/conversations/${id}/messages/${messageId}/reactions/${encodeURIComponent(emoji)}`);
  }

  /** Takes one's reaction away; nothing changes where there is none. */
  unreact(id: string, messageId: string, emoji: string): Promise<Message> {
    return this.call('DELETE', `/conversations/${id}/messages/${messageId}/reactions/${encodeURIComponent(emoji)}`);
  }

  /** Moves one's read mark; answered once it is written. */
  read(id: string, seq: number): Promise<Mark> {
    return this.call('POST', `/conversations/${id}/read`, { body: { seq } });
  }

  // Synchronization

  /**
   * What changed after the change `since`, 1 to 1,000 messages, by default 500; with `marks_since` the marks too.
   * `has_more`: ask again from its `rev`. `reset`: too much was missed, load anew. `resync_required`: the log has gone back.
   */
  changes(
    id: string,
    { signal, ...query }: { since: number; marks_since?: number; limit?: number; signal?: AbortSignal },
  ): Promise<Changes> {
    return this.call('GET', `/conversations/${id}/changes`, { query, signal });
  }

  /** Where each of one's conversations stands, in id order, in pages of 1,000. */
  sync(page: { cursor?: string; signal?: AbortSignal } = {}): Promise<Sync> {
    const { signal, ...query } = page;
    return this.call('GET', '/sync', { query, signal });
  }

  /** The same with what changed since what is held, at once; servers before it existed answer `method_not_allowed`. */
  catchUp(
    body: { conversations: { id: string; rev: number; marks_rev: number }[]; cursor?: string },
    signal?: AbortSignal,
  ): Promise<CatchUp> {
    return this.call('POST', '/sync', { body, signal });
  }

  /**
   * Asks once more with a new token where the old one was refused. Where the account has something to do first, that is known
   * from then on. @internal
   */
  async call<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const { headers, by } = await this.session.authorize();
    try {
      return await this.http.request<T>(method, path, { ...options, headers });
    } catch (error) {
      const failure = ParleyError.from(error);
      if (failure.action === 'complete' && !this.session.user?.restriction) await this.refresh().catch(() => {});
      // A wrong password or code is 401, too: it says nothing of the token.
      if (failure.status !== 401 || failure.action === 'fix') throw failure;
      await this.session.renew(by);
      const renewed = await this.session.authorize();
      return this.http.request<T>(method, path, { ...options, headers: renewed.headers });
    }
  }
}
