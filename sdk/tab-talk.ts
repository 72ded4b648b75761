import type { Connection } from './connection.ts';
import type { Outbox, Outgoing } from './outbox.ts';
import type { User } from './protocol.ts';
import type { Session } from './session.ts';
import type { Store } from './store/store.ts';
import type { TabNews, Tabs } from './tabs.ts';
import type { UserLife } from './user-life.ts';

export interface TabTalkOptions {
  tabs: Tabs;
  session: Session;
  userLife: UserLife;
  connection: Connection;
  outbox: Outbox;
  store: Store;
}

/** What this tab tells the others of its outbox, and what follows from what they tell. */
export class TabTalk {
  constructor(private readonly options: TabTalkOptions) {}

  /** Tells the others what this tab did to an item of the outbox. */
  tell(kind: 'queued' | 'settled' | 'discarded', item: Outgoing): void {
    const { tabs, store } = this.options;
    const user_id = store.me.id;
    if (kind === 'discarded') tabs.tell({ kind, user_id, client_id: item.client_id });
    else tabs.tell({ kind, user_id, item });
  }

  /** The user is another now: so the store shows them, and the others do. */
  changed(user: User): void {
    this.options.store.me = user;
    this.options.tabs.tell({ kind: 'changed', user_id: user.id, user });
  }

  /** Another tab told something: of this user it is taken over, of another it ends the session here. */
  hear(news: TabNews): void {
    const { session, userLife, connection, outbox, store } = this.options;
    const { user } = session;
    if (!user) return;
    if (news.kind === 'signed_in' && news.user_id !== user.id) void session.end('another_user');
    if (news.user_id !== user.id) return;
    if (news.kind === 'queued') {
      outbox.hearQueued(news.item);
      connection.wake();
    } else if (news.kind === 'settled') {
      outbox.hearSettled(news.item);
      const copy = store.get(news.item.conversation_id);
      if (copy) outbox.forget(copy.id, copy.rev);
    } else if (news.kind === 'discarded') outbox.hearDiscarded(news.client_id);
    else if (news.kind === 'read') store.markRead(news.conversation_id, news.seq);
    else if (news.kind === 'changed') {
      if (session.hearUser(news.user)) store.me = news.user;
    } else if (news.kind === 'ended') void session.hearEnd(news.reason);
    else if (news.kind === 'signed_out') userLife.leftElsewhere(user);
  }
}
