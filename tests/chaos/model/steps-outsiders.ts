import type { Person } from './person.ts';
import type { Room, World } from './world.ts';

/** What those try who are not in a conversation, and all that they may be told. */

type Attempt = (outsider: Person, room: Room, world: World) => Promise<unknown[] | undefined>;

const rest =
  (method: string, path: (room: Room, world: World) => string, body?: (world: World) => object): Attempt =>
  async (outsider, room, world) => {
    const answer = await outsider.call(method, `/conversations/${room.id}${path(room, world)}`, body?.(world));
    return answer && [answer.status, answer.body.code];
  };

const frame =
  (make: (room: Room, world: World) => object): Attempt =>
  async (outsider, room, world) => {
    const line = await outsider.line('v1');
    const answer = await line?.ask({ conversation_id: room.id, ...make(room, world) });
    return answer && [answer.event, answer.code];
  };

const someMessage = (room: Room, world: World) => world.random.pick(room.messages)?.id ?? crypto.randomUUID();

const ATTEMPTS: Attempt[] = [
  rest('GET', () => ''),
  rest('GET', () => '/messages?limit=100'),
  rest('GET', (room, world) => `/messages?around=${someMessage(room, world)}`),
  rest('GET', () => '/changes?since=0&marks_since=0'),
  rest('GET', () => '/participants'),
  rest(
    'POST',
    () => '/messages',
    (world) => ({ content: world.text() }),
  ),
  rest(
    'POST',
    () => '/read',
    () => ({ seq: 1 }),
  ),
  rest(
    'PATCH',
    () => '',
    (world) => ({ name: world.word() }),
  ),
  rest(
    'PATCH',
    (room, world) => `/messages/${someMessage(room, world)}`,
    (world) => ({ content: world.text() }),
  ),
  rest('DELETE', (room, world) => `/messages/${someMessage(room, world)}`),
  rest('PUT', (room, world) => `/messages/${someMessage(room, world)}/reactions/%F0%9F%91%8D`),
  rest(
    'POST',
    () => '/participants',
    () => ({ user_ids: [crypto.randomUUID()] }),
  ),
  frame((_, world) => ({ event: 'message.send', content: world.text() })),
  frame((room, world) => ({ event: 'message.send', content: world.text(), reply_to: someMessage(room, world) })),
  frame((room, world) => ({ event: 'message.edit', message_id: someMessage(room, world), content: world.text() })),
  frame((room, world) => ({ event: 'message.delete', message_id: someMessage(room, world) })),
  frame((room, world) => ({ event: 'reaction.add', message_id: someMessage(room, world), emoji: '👍' })),
];

/** Their answers carry no key, and so nothing is waited for. */
const SIGNALS = [
  (room: Room) => ({ event: 'read', conversation_id: room.id, seq: 1 }),
  (room: Room) => ({ event: 'delivered', conversation_id: room.id, seq: 1 }),
  (room: Room) => ({ event: 'typing', conversation_id: room.id, active: true }),
];

export const OUTSIDER_STEPS = {
  async 'attempt of an outsider'(world: World) {
    const outsider = world.random.pick(world.outsiders)!;
    const room = world.room();
    const attempt = world.random.pick(ATTEMPTS)!;
    const answer = room && (await attempt(outsider, room, world));
    if (!answer) return false;
    const [kind, code] = answer;
    if ((kind !== 404 && kind !== 'error') || code !== 'conversation_not_found') {
      world.found(`an outsider was answered ${JSON.stringify(answer)}`);
    }
    return true;
  },

  /** Nothing is said here of the answers: they may be in again. What they hear is looked through afterwards. */
  async 'attempt of a former member'(world: World) {
    const room = world.room(({ former }) => former.size > 0);
    const person = world.random.pick([...(room?.former ?? [])]);
    const attempt = world.random.pick(ATTEMPTS)!;
    return room !== undefined && person !== undefined && (await attempt(person, room, world)) !== undefined;
  },

  async 'signal of an outsider'(world: World) {
    const outsider = world.random.pick(world.outsiders)!;
    const room = world.room();
    const signal = world.random.pick(SIGNALS)!;
    const line = await outsider.line('v1');
    if (!room || !line) return false;
    line.send({ event: 'presence.watch', user_ids: world.people.map(({ id }) => id) });
    line.send(signal(room));
    return true;
  },
};
