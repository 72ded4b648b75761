import type { ParticipantRole } from '../../../protocol/resources.ts';
import type { Actor } from '../../shared/actor.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { Membership } from '../model/rows.ts';
import { type ChangeDeps, changeConversation } from './change-conversation.ts';

/** Admins of a group add people; who is in already stays as they are. */
export async function addParticipants(
  deps: ChangeDeps & { maxGroupSize: number },
  actor: Actor,
  conversationId: string,
  userIds: string[],
): Promise<void> {
  const wanted = [...new Set(userIds)];
  const people = await deps.users.publicUsers(wanted);
  await changeConversation(deps, conversationId, actor, async (membership, tx) => {
    requireGroupAdmin(membership);
    if (wanted.some((id) => !people.get(id)?.is_active)) throw new ParleyError('user_not_found');
    const known = await deps.conversations.findParticipants(conversationId, wanted, tx);
    const inside = new Set(known.filter((row) => row.left_rev === null).map((row) => row.user_id));
    const joining = wanted.filter((id) => !inside.has(id));
    if (joining.length === 0) return undefined;
    requireRoom(deps.maxGroupSize, joining.length + (await deps.conversations.countParticipants(conversationId, tx)));
    await deps.users.requireActive(tx, joining);
    return { event: 'participant.joined', note: { kind: 'participant_joined', user_ids: joining }, joining };
  });
}

/** Fails where a group would have more people than it may. */
export function requireRoom(maxGroupSize: number, size: number): void {
  if (size > maxGroupSize) throw new ParleyError('group_full', `A group has at most ${maxGroupSize} people`);
}

/** Anyone leaves a group; admins remove others. When the last admin leaves, the longest member becomes one. */
export async function removeParticipant(
  deps: ChangeDeps,
  actor: Actor,
  conversationId: string,
  userId: string,
): Promise<void> {
  await changeConversation(deps, conversationId, actor, async (membership, tx) => {
    const leaving = userId === actor.userId;
    if (membership.conversation.type === 'direct') {
      throw leaving ? new ParleyError('cannot_leave_direct') : new ParleyError('forbidden');
    }
    if (!leaving) requireGroupAdmin(membership);
    const [target] = await deps.conversations.findParticipants(conversationId, [userId], tx);
    if (!target || target.left_rev !== null) throw new ParleyError('user_not_found');

    const { otherAdmin, longest } = await deps.conversations.findHeirs(conversationId, userId, tx);
    const heir = otherAdmin ? undefined : longest;
    return {
      event: 'participant.left',
      note: leaving ? { kind: 'participant_left' } : { kind: 'participant_removed', user_ids: [userId] },
      leaving: userId,
      roles: heir ? [{ userId: heir.user_id, role: 'admin' }] : [],
    };
  });
}

/** Admins promote and demote; a group keeps at least one of them. */
export async function changeRole(
  deps: ChangeDeps,
  actor: Actor,
  conversationId: string,
  target: { userId: string; role: ParticipantRole },
): Promise<void> {
  await changeConversation(deps, conversationId, actor, async (membership, tx) => {
    requireGroupAdmin(membership);
    const [row] = await deps.conversations.findParticipants(conversationId, [target.userId], tx);
    if (!row || row.left_rev !== null) throw new ParleyError('user_not_found');
    if (row.role === target.role) return undefined;
    if (target.role === 'member') {
      const { otherAdmin } = await deps.conversations.findHeirs(conversationId, target.userId, tx);
      if (!otherAdmin) throw new ParleyError('forbidden', 'A group needs an admin: promote another first');
    }
    return { event: 'participant.updated', roles: [target] };
  });
}

/** Admins rename a group. */
export async function renameGroup(
  deps: ChangeDeps,
  actor: Actor,
  conversationId: string,
  name: string | undefined,
): Promise<void> {
  await changeConversation(deps, conversationId, actor, async (membership) => {
    requireGroupAdmin(membership);
    if (name === undefined || name === membership.conversation.name) return undefined;
    return { event: 'conversation.updated', note: { kind: 'renamed', name }, fields: { name } };
  });
}

function requireGroupAdmin({ conversation, me }: Membership): void {
  if (conversation.type === 'direct') throw new ParleyError('forbidden', 'This is possible in groups only');
  if (me.role !== 'admin') throw new ParleyError('forbidden', 'Only admins of the group may do this');
}
