import type { PublicUser } from '../../protocol/resources.ts';
import type { Bus } from '../bus/bus.ts';
import { presentPublicUser } from './presenter.ts';
import type { UsersRepository } from './repository.ts';

const MAX_USERS = 10_000;

/**
 * Users as others see them, kept in memory: every conversation, page and frame names people, and they seldom change.
 * A change is heard on the bus, or from the outbox within seconds, and forgets what was kept.
 */
export class PublicUsers {
  private readonly kept = new Map<string, PublicUser>();
  /** Counts what was heard: an answer that was under way meanwhile may be older than the news. */
  private heard = 0;
  /** Those that were asked for in this turn of the event loop: of a crowd that comes back many name the same people. */
  private asked: { ids: Set<string>; users: Promise<Map<string, PublicUser>> } | undefined;

  constructor(
    private readonly repository: UsersRepository,
    bus: Bus,
  ) {
    bus.subscribe('accounts', (news) => {
      if (news.kind !== 'user_changed') return;
      this.heard++;
      this.kept.delete(news.user_id);
    });
  }

  /** The users behind `ids`; one that never was is missing. */
  async get(ids: Iterable<string>): Promise<Map<string, PublicUser>> {
    const found = new Map<string, PublicUser>();
    const missing: string[] = [];
    for (const id of new Set(ids)) {
      const user = this.kept.get(id);
      if (user) found.set(id, user);
      else missing.push(id);
    }
    if (missing.length === 0) return found;
    const read = await this.readTogether(missing);
    for (const id of missing) {
      const user = read.get(id);
      if (user) found.set(id, user);
    }
    return found;
  }

  /** Forgets what was kept: the database may have gone back. */
  forget(): void {
    this.heard++;
    this.kept.clear();
  }

  private readTogether(ids: string[]): Promise<Map<string, PublicUser>> {
    if (!this.asked) {
      const asked = new Set<string>();
      this.asked = { ids: asked, users: nextTurn().then(() => this.read(asked)) };
    }
    for (const id of ids) this.asked.ids.add(id);
    return this.asked.users;
  }

  private async read(ids: Set<string>): Promise<Map<string, PublicUser>> {
    this.asked = undefined;
    const { heard } = this;
    const users = (await this.repository.byIds([...ids])).map(presentPublicUser);
    if (heard === this.heard) for (const user of users) this.keep(user);
    return new Map(users.map((user) => [user.id, user]));
  }

  private keep(user: PublicUser): void {
    if (this.kept.size >= MAX_USERS) this.kept.delete(this.kept.keys().next().value!);
    this.kept.set(user.id, user);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
