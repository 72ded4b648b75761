import type { CreateClient, ModelClient } from './client.ts';
import { FAULTS, fallBehind, restart } from './faults.ts';
import type { Lane } from './lane.ts';
import { namesOf } from './names.ts';
import { disorders } from './order.ts';
import { leaks, strangePresence, unheardRemovals } from './secrecy.ts';
import { settle } from './settle.ts';
import { SpareSession } from './spare-session.ts';
import { MESSAGE_STEPS } from './steps-messages.ts';
import { OUTSIDER_STEPS } from './steps-outsiders.ts';
import { PEOPLE_STEPS } from './steps-people.ts';
import { World } from './world.ts';

const STEPS = 200;
const STEP_TABLE = { ...MESSAGE_STEPS, ...PEOPLE_STEPS, ...OUTSIDER_STEPS };
type StepName = keyof typeof STEP_TABLE;

/** How often a step is chosen, beside the others. */
const WEIGHTS: Record<StepName, number> = {
  'send over REST': 8,
  'send over a socket': 10,
  'send in plain mode': 5,
  'send from the outbox': 14,
  'send to a person': 2,
  'reply over REST': 5,
  'reply over a socket': 5,
  edit: 12,
  'edit with if_rev': 6,
  'edit that is stale': 3,
  delete: 5,
  'reaction added': 12,
  'reaction taken back': 6,
  'retry that is late': 7,
  'retry that is doubled': 3,
  'old edit again': 4,
  'group made': 2,
  'direct opened': 2,
  join: 4,
  rejoin: 6,
  leave: 3,
  removal: 6,
  'role changed': 7,
  renamed: 4,
  'read over REST': 3,
  'read over a socket': 5,
  'delivered over a socket': 5,
  'read in a store': 6,
  'signed out': 2,
  'password changed': 2,
  'profile changed': 8,
  typing: 5,
  'presence watched and set': 2,
  'attempt of an outsider': 6,
  'attempt of a former member': 4,
  'signal of an outsider': 3,
};

/** Shares of what the bus does to publications, and of the steps before which something else breaks. */
const BUS_FAULTS = { lose: 0.12, delay: 0.12, reorder: 0.12 };
const FAULT_SHARE = 0.06;
/** One seed in so many has somebody fall too far behind, and one a second session: passwords are dear to check. */
const BURST_EVERY = 25;
const SPARE_EVERY = 2;
const PAUSE_MS = 8;
const WAIT_SHARE = 0.15;

/** All that can be counted: none of it may never have happened. */
export const OPERATIONS = [
  ...Object.keys(STEP_TABLE),
  ...Object.keys(FAULTS),
  'restart by SIGKILL',
  'restart by SIGTERM',
  'burst while somebody was away',
  'retry of somebody who is out',
  'reset told',
];

export interface Outcome {
  seed: number;
  findings: string[];
  counts: Map<string, number>;
  /** How long it took until all was equal, after the last fault, in milliseconds. */
  settledAfterMs: number;
}

/** Plays one seed and looks whether all is as it must be. */
export async function playSeed(lane: Lane, seed: number, createClient: CreateClient): Promise<Outcome> {
  for (const person of lane.everybody) person.startAnew();
  const clients = lane.devices().map(createClient);
  const world = new World(seed, lane.host, lane.people, lane.outsiders, clients, ++lane.plays);
  await Promise.all(clients.map((client) => client.start()));
  await open(world);
  await lane.host.setFaults({ seed, ...BUS_FAULTS });
  await play(world);

  for (const client of clients) client.network.goUp();
  await world.allDone();
  await lane.host.setFaults(undefined);
  const quietSince = Date.now();
  for (const text of await settle(clients, await namesOf(world.people))) world.found(text);
  const settledAfterMs = Date.now() - quietSince;
  world.spare?.check(world);
  for (const { person, signedOutBy } of clients) {
    if (signedOutBy !== undefined) world.found(`${person.username} was signed out: ${signedOutBy}`);
  }
  await lookThrough(world, lane);
  await close(world, clients);
  return { seed, findings: world.findings, counts: world.counters.counts, settledAfterMs };
}

/** The conversations that the seed begins with. */
async function open(world: World): Promise<void> {
  const { people, random } = world;
  for (let group = 0; group < 3; group++) {
    const [creator, ...others] = random.shuffled(people);
    const invited = others.slice(0, 3 + random.int(others.length - 3));
    const body = { name: world.word(), participant_ids: invited.map(({ id }) => id) };
    world.addRoom(await creator!.call('POST', '/conversations', body), [creator!, ...invited]);
  }
  await STEP_TABLE['direct opened'](world);
  if (world.seed % SPARE_EVERY === 0) world.spare = await SpareSession.begin(random.pick(people)!);
  // Outsiders listen, for whatever may come their way.
  await Promise.all(world.outsiders.flatMap((outsider) => [outsider.line('v1'), outsider.line('plain')]));
  await Promise.all(people.slice(0, 4).flatMap((person) => [person.line('v1'), person.line('plain')]));
}

async function play(world: World): Promise<void> {
  const { random, seed } = world;
  const restartAt = STEPS / 4 + random.int(STEPS / 2);
  const burstAt = seed % BURST_EVERY === 0 ? random.int(STEPS) : -1;
  for (let step = 0; step < STEPS; step++) {
    if (step === restartAt) await restart(world, seed % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
    if (step === burstAt) await fallBehind(world);
    if (random.chance(FAULT_SHARE)) {
      const fault = random.pick(Object.keys(FAULTS) as (keyof typeof FAULTS)[])!;
      if (FAULTS[fault](world)) world.did(fault);
    }
    const name = random.weighted(WEIGHTS);
    const work = async () => (await STEP_TABLE[name](world)) && world.did(name);
    world.meanwhile(work());
    if (random.chance(WAIT_SHARE)) await world.allDone();
    else await Bun.sleep(random.int(PAUSE_MS));
  }
}

/** What was heard, and when. */
async function lookThrough(world: World, lane: Lane): Promise<void> {
  const { truth } = lane;
  await truth.refresh();
  for (const person of lane.everybody) {
    for (const text of [...disorders(person), ...leaks(person, truth), ...unheardRemovals(person, truth)])
      world.found(text);
    const broken = person.record.heard.filter(({ text }) => text.includes('"code":"internal"'));
    for (const { text } of broken) world.found(`${person.username} was answered ${text}`);
    const resets = person.record.heard.filter(({ text }) => text.includes('"reset":true')).length;
    world.counters.add('reset told', resets);
  }
  for (const outsider of lane.outsiders) for (const text of strangePresence(outsider)) world.found(text);
  for (const [mark, { inserted, isName }] of truth.origins) {
    if (inserted > 1 && !isName) world.found(`${mark} was stored ${inserted} times`);
  }
}

/** Leaves the groups, so that the next seed of these people begins with few conversations. */
async function close(world: World, clients: ModelClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.close()));
  for (const person of world.people) {
    const { body } = (await person.call('GET', '/conversations?limit=100'))!;
    for (const { conversation } of body.conversations) {
      if (conversation.type !== 'group') continue;
      await person.call('DELETE', `/conversations/${conversation.id}/participants/${person.id}`);
    }
  }
}
