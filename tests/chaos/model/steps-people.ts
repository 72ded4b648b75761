import type { World } from './world.ts';

/** What people do with conversations, and how they show that they are there. */

type Step = (world: World) => Promise<boolean> | boolean;

const MAX_GROUPS = 6;

export const PEOPLE_STEPS = {
  async 'group made'(world) {
    if (world.rooms.filter((room) => room.type === 'group').length >= MAX_GROUPS) return false;
    const [creator, ...others] = world.random.shuffled(world.people);
    const invited = others.slice(0, 1 + world.random.int(others.length));
    const body = { name: world.word(), participant_ids: invited.map(({ id }) => id) };
    return world.addRoom(await creator!.call('POST', '/conversations', body), [creator!, ...invited]) !== undefined;
  },

  async 'direct opened'(world) {
    const [one, other] = world.random.shuffled(world.people);
    const answer = await one!.call('POST', '/conversations', { participant_id: other!.id });
    return world.addRoom(answer, [one!, other!]) !== undefined;
  },

  join: (world) => join(world, false),
  rejoin: (world) => join(world, true),

  async leave(world) {
    const room = world.group();
    const person = world.member(room);
    if (!room || !person || room.members.size < 3) return false;
    const answer = await person.call('DELETE', `/conversations/${room.id}/participants/${person.id}`);
    if (answer?.status !== 200) return false;
    world.left(room, person);
    await learnAdmins(world, room.id);
    return true;
  },

  async removal(world) {
    const room = world.group();
    const admin = world.admin(room);
    const person = world.random.pick([...(room?.members ?? [])].filter((one) => one !== admin));
    if (!room || !admin || !person || room.members.size < 3) return false;
    const answer = await admin.call('DELETE', `/conversations/${room.id}/participants/${person.id}`);
    if (answer?.status !== 200) return false;
    world.left(room, person);
    return true;
  },

  async 'role changed'(world) {
    const room = world.group();
    const admin = world.admin(room);
    const person = world.member(room);
    if (!room || !admin || !person) return false;
    const participant_role = room.admins.has(person) ? 'member' : 'admin';
    const path = `/conversations/${room.id}/participants/${person.id}`;
    const answer = await admin.call('PATCH', path, { participant_role });
    if (answer?.status !== 200) return false;
    if (participant_role === 'admin') room.admins.add(person);
    else room.admins.delete(person);
    return true;
  },

  async renamed(world) {
    const room = world.group();
    const admin = world.admin(room);
    if (!room || !admin) return false;
    return (await admin.call('PATCH', `/conversations/${room.id}`, { name: world.word() }))?.status === 200;
  },

  async 'read over REST'(world) {
    const { room, person, seq } = chooseMark(world);
    if (!room || !person) return false;
    return (await person.call('POST', `/conversations/${room.id}/read`, { seq }))?.status === 200;
  },

  'read over a socket': (world) => mark(world, 'read'),
  'delivered over a socket': (world) => mark(world, 'delivered'),

  'read in a store'(world) {
    const { room, person, seq } = chooseMark(world);
    const client = world.clientOf(person);
    if (!room || !client) return false;
    client.read(room.id, seq);
    return true;
  },

  'signed out': (world) => world.spare?.signOut() ?? false,

  'password changed': (world) => world.spare?.changePassword() ?? false,

  async 'profile changed'(world) {
    const person = world.random.pick(world.people)!;
    const display_name = `Somebody ${world.random.int(1_000_000)}`;
    return (await person.call('PATCH', '/users/me', { display_name }))?.status === 200;
  },

  async typing(world) {
    const room = world.room();
    const person = world.member(room);
    const active = world.random.chance(0.8);
    const line = await person?.line('v1');
    if (!room || !line) return false;
    line.send({ event: 'typing', conversation_id: room.id, active });
    return true;
  },

  async 'presence watched and set'(world) {
    const [watcher, other] = world.random.shuffled(world.people);
    const status = world.random.pick(['online', 'away', 'dnd']);
    const [hers, his] = await Promise.all([watcher!.line('v1'), other!.line('v1')]);
    if (!hers || !his) return false;
    hers.send({ event: 'presence.watch', user_ids: world.people.map(({ id }) => id) });
    his.send({ event: 'presence.set', status });
    return true;
  },
} satisfies Record<string, Step>;

async function join(world: World, again: boolean): Promise<boolean> {
  const room = world.group();
  const admin = world.admin(room);
  if (!room || !admin) return false;
  const out = world.people.filter((one) => !room.members.has(one) && room.former.has(one) === again);
  const person = world.random.pick(out);
  if (!person) return false;
  const answer = await admin.call('POST', `/conversations/${room.id}/participants`, { user_ids: [person.id] });
  if (answer?.status !== 200) return false;
  world.joined(room, person);
  return true;
}

/** After the last admin left, another is one. */
async function learnAdmins(world: World, id: string): Promise<void> {
  const room = world.rooms.find((one) => one.id === id)!;
  const [someone] = room.members;
  const answer = await someone?.call('GET', `/conversations/${id}`);
  if (answer?.status !== 200) return;
  const admins = answer.body.participants.filter((one: any) => one.participant_role === 'admin');
  room.admins = new Set(world.people.filter((person) => admins.some((one: any) => one.id === person.id)));
}

function chooseMark(world: World) {
  const room = world.room();
  const person = world.member(room);
  // At times far beyond the end, or long behind.
  const seq = world.random.int((room?.seq ?? 0) + 5);
  return { room, person, seq };
}

async function mark(world: World, event: 'read' | 'delivered'): Promise<boolean> {
  const { room, person, seq } = chooseMark(world);
  const line = await person?.line('v1');
  if (!room || !line) return false;
  line.send({ event, conversation_id: room.id, seq });
  return true;
}
