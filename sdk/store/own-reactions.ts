import type { Cause, Message } from '../protocol.ts';

/**
 * Frames go to many, so they do not say which reactions are one's own, and name only the first who reacted. Where one's
 * own is not named, the cause tells, or what was known before.
 */
export function keepOwnReactions(told: Message, held: Message | undefined, me: string, cause?: Cause): Message {
  if (!told.reactions) return told;
  const ownCause = cause?.user_id === me ? cause : undefined;
  const reactions = told.reactions.map(({ me: isTold, ...reaction }) => {
    const { emoji, count, user_ids } = reaction;
    const caused = ownCause?.emoji === emoji ? ownCause.kind === 'reaction.add' : undefined;
    const wasMine = held?.reactions?.some((one) => one.emoji === emoji && one.me) ?? false;
    const isMine = isTold || user_ids.includes(me) || (caused ?? (count > user_ids.length && wasMine));
    return isMine ? { ...reaction, me: true as const } : reaction;
  });
  return { ...told, reactions };
}
