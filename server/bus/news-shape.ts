/** What a channel's name ends with: an id. */
const idOf = (channel: string) => channel.slice(channel.indexOf(':') + 1);
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isObjects = (value: unknown) => value === undefined || (Array.isArray(value) && value.every(isObject));
const isRev = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;

const STATUSES = new Set<unknown>(['online', 'away', 'dnd', 'offline']);

const KINDS: Record<string, (news: Record<string, unknown>, channel: string) => boolean> = {
  conversation: ({ conversation_id, changes, signals }, channel) =>
    conversation_id === idOf(channel) &&
    isObjects(changes) &&
    isObjects(signals) &&
    ((changes ?? []) as Record<string, unknown>[]).every(({ rev, frame }) => isRev(rev) && isObject(frame)),
  user: ({ kind, conversation_id, rev }) =>
    (kind === 'joining' || kind === 'left') && typeof conversation_id === 'string' && isRev(rev),
  presence: ({ user_id, status }, channel) => user_id === idOf(channel) && STATUSES.has(status),
  accounts: ({ kind, user_id, session_ids }) =>
    typeof user_id === 'string' &&
    (kind === 'user_changed' || (kind === 'sessions_ended' && Array.isArray(session_ids))),
};

/**
 * Whether what came in on a channel has the shape of its news, as far as this program relies on it. Nodes of this version
 * always send it so; others who can publish in this Redis need not.
 */
export function hasShapeOf(channel: string, news: unknown): boolean {
  return isObject(news) && (KINDS[channel.split(':', 1)[0]!]?.(news, channel) ?? false);
}
