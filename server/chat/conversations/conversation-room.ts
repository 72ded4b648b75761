import type { Executor } from '../../database/database.ts';
import type { Actor } from '../../shared/actor.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { Users } from '../model/presenter.ts';
import type { UsageRepository } from '../usage/usage-repository.ts';

/** How many conversations one may be in. */
export interface ConversationRoom {
  usage: UsageRepository;
  max: number;
}

/** Who comes into a conversation, and by whom; `field` is where the request named them. */
interface Coming {
  actor: Actor;
  joining: string[];
  people: Users;
  field: string;
}

/**
 * Fails with `conversations_full` where somebody who came in is in more conversations than one may be, and names them. It
 * is looked at behind the write, by what that counted in the same transaction: of many at once none goes beyond it.
 */
export async function requireConversationRoom(
  room: ConversationRoom | undefined,
  { actor, joining, people, field }: Coming,
  tx: Executor,
): Promise<void> {
  if (!room || joining.length === 0) return;
  const full = await room.usage.inMoreThan(room.max, joining, tx);
  if (full.length === 0) return;
  const most = room.max.toLocaleString('en');
  if (full.includes(actor.userId)) {
    throw new ParleyError('conversations_full', `You are in ${most} conversations: leave one first`);
  }
  const errors = full.map((id) => {
    return { path: field, message: `${people.get(id)?.username ?? id} (${id}) is in ${most} conversations` };
  });
  throw new ParleyError('conversations_full', errors[0]!.message, { errors });
}
