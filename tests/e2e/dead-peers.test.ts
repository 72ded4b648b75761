import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { MAX_CLIENT_ID_LENGTH } from '../../protocol/limits.ts';
import { burst, numbered, range } from '../support/burst.ts';
import { eventually } from '../support/eventually.ts';
import { connections } from '../support/metrics.ts';
import { type Person, signUpAll } from '../support/people.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

const MIB = 1024 * 1024;
/** 16,000 bytes, the largest message there is. */
const LARGE = '😀'.repeat(4000);

afterAll(endServers);

/** Opens a raw socket as `person`, in either mode. */
function openRaw(person: Person, mode: 'plain' | 'v1', query = ''): Promise<RawPeer> {
  const headers: Record<string, string> = mode === 'v1' ? { 'Sec-WebSocket-Protocol': 'parley.v1' } : {};
  return RawPeer.open(person.server, `/ws?token=${person.tokens.access_token}${query}`, headers);
}

describe('a reader that does not read', () => {
  let server: TestServer;
  let alice: Person;
  let bob: Person;
  let carol: Person;

  beforeAll(async () => {
    server = await startServer();
    [alice, bob, carol] = await signUpAll(server, 'alice', 'bob', 'carol');
  });

  test('is cut, costs no memory, and who reads loses nothing', async () => {
    const group = await alice.group([bob, carol]);
    const [hers, carols] = await Promise.all([alice.connect(), carol.connect()]);
    await burst(hers, group, Array(300).fill(LARGE));
    const before = await server.memory();

    const peers = await Promise.all([
      ...range(1, 5).map(() => openRaw(bob, 'v1')),
      ...range(1, 5).map(() => openRaw(bob, 'plain')),
    ]);
    expect(await connections(server)).toBe(12);
    let sent = 300;
    while ((await connections(server)) > 2) {
      expect(sent).toBeLessThan(1500); // 24 MB: far more than any buffer of the system holds
      await burst(hers, group, Array(100).fill(LARGE));
      sent += 100;
    }
    expect((await server.memory()) - before).toBeLessThan(64 * MIB * server.nodes.length);
    for (const peer of peers) expect(await peer.drain()).toBeLessThan(16 * MIB);

    await carols.settle();
    expect(carols.all('message').map(({ seq }) => seq)).toEqual(range(2, sent + 1));
    await Promise.all([hers.close(), carols.close()]);
  }, 60_000);

  test('is cut also when it is answers that it does not read', async () => {
    const open = await connections(server);
    const peers = await Promise.all([openRaw(bob, 'v1'), openRaw(bob, 'v1')]);
    const before = await server.memory();
    // Answers are small, an error with a key the largest; what is no error comes between, or it would be cut for nonsense.
    const wrong = JSON.stringify({ event: 'unknown', client_id: 'x'.repeat(MAX_CLIENT_ID_LENGTH) });
    const asked = Array.from({ length: 2000 }, () => [wrong, '{"event":"ping"}']).flat();
    // Who reads them may ask so.
    const reader = await bob.connect();
    for (const text of asked) reader.send(text);
    await reader.ask({ event: 'unknown' });
    await reader.close();
    // Hold on for as long as they are taken.
    await eventually('both are cut', async () => {
      for (const peer of peers) peer.sendAll(asked);
      return (await connections(server)) === open;
    });
    expect((await server.memory()) - before).toBeLessThan(64 * MIB * server.nodes.length);
    for (const peer of peers) peer.destroy();
  }, 60_000);
});

describe('with a heartbeat of 300 ms', () => {
  const PERIOD_MS = 300;
  let server: TestServer;
  let alice: Person;
  let bob: Person;
  let group: string;

  beforeAll(async () => {
    server = await startServer({ WS_HEARTBEAT: `${PERIOD_MS}ms` });
    [alice, bob] = await signUpAll(server, 'alice', 'bob');
    group = await alice.group([bob]);
  });

  test('a half-open socket is cut though it is being written to; one that answers pings, or says anything, lives on', async () => {
    const [hers, idle] = await Promise.all([alice.connect(), bob.connectPlain()]);
    const talking = await openRaw(bob, 'v1');
    const talkingIsCut = talking.drain();
    let said = 0;
    let written = 0;
    const busy = setInterval(() => {
      hers.send({ event: 'message.send', conversation_id: group, content: `busy ${++written}` });
      if (++said % 4 === 0) talking.send('{"event":"ping"}'); // no pong ever, but a sign of life
    }, 25);

    for (const mode of ['v1', 'plain', 'v1'] as const) {
      const silent = await openRaw(bob, mode);
      const since = performance.now();
      const bytes = await silent.drain(); // it reads, so that only its silence can tell
      const lived = performance.now() - since;
      expect(lived).toBeGreaterThan(2 * PERIOD_MS - 50);
      expect(lived).toBeLessThan(6 * PERIOD_MS);
      expect(bytes).toBeGreaterThan(1000);
    }
    clearInterval(busy);

    const fate = await Promise.race([talkingIsCut.then(() => 'cut'), idle.closed.then(() => 'closed'), 'both live']);
    expect(fate).toBe('both live');
    await hers.say(group, 'the end');
    await idle.find((frame) => frame.content === 'the end');
    expect(idle.frames.map(({ content }) => content)).toEqual([...numbered('busy', written), 'the end']);
    talking.destroy();
    await Promise.all([hers.close(), idle.close()]);
  }, 60_000);

  test('a connection that was lost without a word is forgotten', async () => {
    const peers = await Promise.all([openRaw(bob, 'v1'), openRaw(bob, 'plain')]);
    expect(await connections(server)).toBe(2);
    await eventually('nobody is connected', async () => (await connections(server)) === 0);
    for (const peer of peers) peer.destroy();
  });
});
