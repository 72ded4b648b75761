import { MAX_CHANGES_BEHIND } from '../../../protocol/limits.ts';
import type { Person } from './person.ts';
import type { Room, World } from './world.ts';

const WINDOW = 50;

/** So many messages that a copy from before them is too old to be mended. */
export async function burstOf(world: World, room: Room, speaker: Person): Promise<void> {
  let left = MAX_CHANGES_BEHIND + 20;
  const speak = async () => {
    const line = await speaker.line('v1');
    while (left-- > 0) await line?.ask({ event: 'message.send', conversation_id: room.id, content: world.text() });
  };
  await Promise.all(Array.from({ length: WINDOW }, speak));
}
