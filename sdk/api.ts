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

export interface PageOptions {
  limit?: number;
  cursor?: string;
  signal?: AbortSignal;
}

/** The REST interface, call by call, as the signed-in user. What it answers is not kept: the client's `store` is. */
export class Api {
  constructor(
    private readonly http: Http,
    private readonly session: Session,
  ) {}

  // Users

  me(): Promise<User> {
    return this.call('GET', '/auth/me');
  }

  changePassword(body: { current_password: string; new_password: string }): Promise<{ success: true }> {
    return this.call('POST', '/auth/password', { body });
  }

  updateMe(body: { display_name?: string; status?: string; username?: string }): Promise<User> {
    return this.call('PATCH', '/users/me', { body });
  }

  deleteMe(body: { password: string }): Promise<{ success: true }> {
    return this.call('DELETE', '/users/me', { body });
  }

  user(id: string): Promise<PublicUser> {
    return this.call('GET', `/users/${id}`);
  }

  /** People whose username or display name begins so, or whose whole e-mail address this is. */
  searchUsers(query: string, page: PageOptions = {}): Promise<{ users: PublicUser[]; next_cursor?: string }> {
    const { signal, ...rest } = page;
    return this.call('GET', '/users', { query: { query, ...rest }, signal });
  }

  // Conversations

  /** The direct conversation with somebody, opened where there is none. */
  openDirect(who: { participant_id: string } | { participant_email: string }): Promise<Entry & { is_new: boolean }> {
    return this.call('POST', '/conversations', { body: who });
  }

  createGroup(body: {
    name: string;
    participant_ids?: string[];
    participant_emails?: string[];
  }): Promise<Entry & { is_new: boolean }> {
    return this.call('POST', '/conversations', { body });
  }

  conversations(page: PageOptions = {}): Promise<{ conversations: Entry[]; count: number; next_cursor?: string }> {
    const { signal, ...query } = page;
    return this.call('GET', '/conversations', { query, signal });
  }

  conversation(id: string, signal?: AbortSignal): Promise<Entry> {
    return this.call('GET', `/conversations/${id}`, { signal });
  }

  rename(id: string, name: string): Promise<Entry> {
    return this.call('PATCH', `/conversations/${id}`, { body: { name } });
  }

  participants(id: string, page: PageOptions = {}): Promise<{ participants: Participant[]; next_cursor?: string }> {
    const { signal, ...query } = page;
    return this.call('GET', `/conversations/${id}/participants`, { query, signal });
  }

  addParticipants(id: string, userIds: string[]): Promise<Entry> {
    return this.call('POST', `/conversations/${id}/participants`, { body: { user_ids: userIds } });
  }

  /** Removes somebody from a group, or leaves it. */
  removeParticipant(id: string, userId: string): Promise<{ success: true }> {
    return this.call('DELETE', `/conversations/${id}/participants/${userId}`);
  }

  changeRole(id: string, userId: string, role: ParticipantRole): Promise<Entry> {
    return this.call('PATCH', `/conversations/${id}/participants/${userId}`, { body: { participant_role: role } });
  }

  // Messages

  messages(id: string, page: PageOptions & { around?: string } = {}): Promise<MessagePage> {
    const { signal, ...query } = page;
    return this.call('GET', `/conversations/${id}/messages`, { query, signal });
  }

  /** Sends without the outbox: once, now. `client_id` makes it safe to repeat. */
  send(id: string, body: { content: string; client_id?: string; reply_to?: string }): Promise<Message> {
    return this.call('POST', `/conversations/${id}/messages`, { body });
  }

  edit(id: string, messageId: string, body: { content: string; if_rev?: number }): Promise<Message> {
    return this.call('PATCH', `/conversations/${id}/messages/${messageId}`, { body });
  }

  delete(id: string, messageId: string): Promise<Message> {
    return this.call('DELETE', `/conversations/${id}/messages/${messageId}`);
  }

  react(id: string, messageId: string, emoji: string): Promise<Message> {
    return this.call('PUT', `/conversations/${id}/messages/${messageId}/reactions/${encodeURIComponent(emoji)}`);
  }

  unreact(id: string, messageId: string, emoji: string): Promise<Message> {
    return this.call('DELETE', `/conversations/${id}/messages/${messageId}/reactions/${encodeURIComponent(emoji)}`);
  }

  /** Moves one's read mark; answered once it is written. */
  read(id: string, seq: number): Promise<Mark> {
    return this.call('POST', `/conversations/${id}/read`, { body: { seq } });
  }

  // Synchronization

  changes(
    id: string,
    { signal, ...query }: { since: number; marks_since?: number; limit?: number; signal?: AbortSignal },
  ): Promise<Changes> {
    return this.call('GET', `/conversations/${id}/changes`, { query, signal });
  }

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

  /** Asks once more with a new token where the old one was refused. */
  private async call<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const { headers, by } = await this.session.authorize();
    try {
      return await this.http.request<T>(method, path, { ...options, headers });
    } catch (error) {
      const failure = ParleyError.from(error);
      if (failure.status !== 401 || failure.code === 'invalid_credentials') throw failure;
      await this.session.renew(by);
      const renewed = await this.session.authorize();
      return this.http.request<T>(method, path, { ...options, headers: renewed.headers });
    }
  }
}
