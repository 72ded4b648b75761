import { afterAll, afterEach, expect, test } from 'bun:test';
import type { ParleyClient } from '../../sdk/index.ts';
import { agrees, endClients, online, until, Wire } from '../../sdk/test-support.ts';
import { eventually } from '../support/eventually.ts';
import { type Person, signUp } from '../support/people.ts';
import { fixedPort } from '../support/ports.ts';
import { endServers, startServer } from '../support/server.ts';

/**
 * Whatever happens, every client ends exactly where the log is: random work of several people under lost frames, cut
 * sockets and killed servers, from a seed that reproduces the choices.
 */

afterEach(endClients);
afterAll(endServers);

const SEEDS = (process.env.SDK_SEEDS ?? '1,2,3').split(',').map(Number);
const STEPS = 200;
const PEOPLE = ['ann', 'ben', 'cat', 'dan'];
const EMOJI = ['👍', '❤️', '🎉'];

interface Player {
  person: Person;
  wire: Wire;
  client: ParleyClient;
  /** What they wrote in each conversation, in order. */
  wrote: Map<string, string[]>;
}

test.each(SEEDS)(
  'clients end where the log is, seed %i',
  async (seed) => {
    const random = generator(seed);
    const chance = (probability: number) => random() < probability;
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
    const server = await startServer({ SERVER_PORT: String(fixedPort()) });
    const players: Player[] = [];
    for (const name of PEOPLE) {
      const person = await signUp(server, name);
      const wire = new Wire();
      players.push({ person, wire, client: await online(person, { WebSocket: wire.WebSocket }), wrote: new Map() });
    }
    const [owner] = players as [Player];
    const groups = await Promise.all(
      [1, 2].map((n) =>
        owner.person.group(
          players.slice(1).map((one) => one.person),
          `g${n}`,
        ),
      ),
    );
    const ids = [...groups, await owner.person.direct(players[1]!.person)];
    for (const { client } of players)
      await eventually('the groups', async () => client.store.conversations.get().length >= 2);
    // Some have read all from the beginning, the others come to it when they open it.
    for (const { client } of players.slice(0, 2))
      for (const { id } of client.store.conversations.get()) await client.open(id);
    const isDone: Promise<unknown>[] = [];
    const counts = new Map<string, number>();

    /** Work that may be refused, for somebody was removed, or for the server is down. */
    const attempt = (work: Promise<unknown>) => isDone.push(work.catch(() => {}));
    const messageOf = ({ client }: Player, id: string, isOwn: boolean) => {
      const messages = client.store.messages(id).get();
      return pick(messages.filter(({ mine, type, seq }) => seq > 0 && type === 'text' && (!isOwn || mine)));
    };

    const steps: Record<string, (player: Player, id: string) => unknown> = {
      send: (player, id) => write(player, id),
      'send again': (player, id) => write(player, id),
      reply: (player, id) => {
        const quoted = messageOf(player, id, false);
        return quoted && write(player, id, quoted.id);
      },
      edit: ({ client, ...player }, id) => {
        const message = messageOf({ client, ...player }, id, true);
        return message && attempt(client.edit(id, message.id, `edited ${random()}`));
      },
      delete: ({ client, ...player }, id) => {
        const message = chance(0.3) && messageOf({ client, ...player }, id, true);
        return message && attempt(client.delete(id, message.id));
      },
      react: ({ client, ...player }, id) => {
        const message = messageOf({ client, ...player }, id, false);
        return message && attempt(client[chance(0.7) ? 'react' : 'unreact'](id, message.id, pick(EMOJI)));
      },
      read: ({ client }, id) => client.read(id),
      open: ({ client }, id) => attempt(client.open(id)),
      rename: (_, id) => attempt(owner.client.api.rename(id, `name ${random()}`)),
      remove: (player, id) => player !== owner && attempt(owner.client.api.removeParticipant(id, player.person.id)),
      add: (player, id) => attempt(owner.client.api.addParticipants(id, [player.person.id])),
      role: (player, id) =>
        player !== owner && attempt(owner.client.api.changeRole(id, player.person.id, pick(['admin', 'member']))),
      cut: ({ wire }) => wire.cut(),
      down: ({ wire }) => wire.down(),
      up: ({ wire }) => wire.up(),
      'lose frames': ({ wire }) => {
        wire.loses = ({ event }) => event !== 'ready' && chance(0.3);
      },
      'lose nothing': ({ wire }) => {
        wire.loses = () => false;
      },
      restart: async () => {
        if (!chance(0.3)) return;
        await server.kill();
        await server.start();
      },
    };

    function write(player: Player, id: string, replyTo?: string): void {
      if (!player.client.store.conversation(id).get()) return;
      const content = `${player.person.user.username} writes ${counts.size}-${isDone.length}-${random()}`;
      player.wrote.set(id, [...(player.wrote.get(id) ?? []), content]);
      attempt(player.client.send(id, content, { replyTo }).acked);
    }

    for (let step = 0; step < STEPS; step++) {
      const name = pick(Object.keys(steps));
      counts.set(name, (counts.get(name) ?? 0) + 1);
      await steps[name]!(pick(players), pick(ids));
      if (chance(0.3)) await Bun.sleep(random() * 30);
    }
    expect([...counts.keys()].sort()).toEqual(Object.keys(steps).sort());

    for (const { wire } of players) {
      wire.loses = () => false;
      wire.up();
    }
    for (const { client, wire } of players) {
      wire.cut();
      await until('offline', client.state, (state) => state !== 'online');
      await until('online', client.state, (state) => state === 'online');
    }
    await Promise.all(isDone);
    for (const { person, client, wrote } of players) {
      const inside = (await person.call('GET', '/conversations')).body.conversations.map(
        (one: any) => one.conversation.id,
      );
      const view = () => client.store.conversations.get().map(({ id }) => id);
      await eventually('the same conversations', async () => Bun.deepEquals(view().sort(), inside.toSorted()));
      for (const id of inside) {
        await agrees(client, person, id);
        // Nothing twice, and nothing before what was written earlier; what was refused is not there.
        const keys = new Set(wrote.get(id) ?? []);
        const stored = (await person.history(id)).filter(
          ({ sender_id, type }) => sender_id === person.id && type === 'text',
        );
        const untouched = stored.map(({ content }) => content).filter((content) => keys.has(content));
        expect(new Set(untouched).size).toBe(untouched.length);
        expect(untouched).toEqual([...keys].filter((content) => untouched.includes(content)));
        const clientIds = stored.map(({ client_id }) => client_id);
        expect(new Set(clientIds).size).toBe(clientIds.length);
      }
    }
  },
  120_000,
);

/** Mulberry32: the same numbers for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
