import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { ATTACKS, type AttackName, type Battlefield } from '../support/attacks.ts';
import { signUp } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

const MIB = 1024 * 1024;
/** What bystanders notice is measured (`make bench ARGS=--only=abuse`); here memory alone counts, for a while. */
const ATTACK_MS = Number(process.env.ATTACK_S ?? 5) * 1000;
const GROWTH_MIB = 256;
const LOOK_MS = 50;

describe('a server that is attacked with all of its limits on', () => {
  let server: TestServer;
  let field: Battlefield;

  beforeAll(async () => {
    server = await startServer({ RATE_LIMITS: 'on' });
    const mallory = await signUp(server, 'mallory');
    const conversation = await mallory.direct(mallory);
    for (let sent = 0; sent < 100; sent++) await mallory.send(conversation, '😀'.repeat(2000));
    field = { url: server.url, tokens: [mallory.tokens.access_token], conversation };
  });
  afterAll(endServers);

  test.each(Object.keys(ATTACKS) as AttackName[])(
    'stays small: %s',
    async (name) => {
      const before = await server.memory();
      let most = before;
      const over = AbortSignal.timeout(ATTACK_MS);
      const attack = ATTACKS[name](field, over);
      while (!over.aborted) {
        most = Math.max(most, await server.memory());
        await Bun.sleep(LOOK_MS);
      }
      const tally = await attack;
      expect(Object.keys(tally)).not.toEqual([]);
      expect((most - before) / MIB, `MiB, at ${JSON.stringify(tally)}`).toBeLessThan(GROWTH_MIB);
      // It is there, and it is the one that was started.
      expect((await fetch(`${server.url}/api/v1/health/ready`)).status).toBe(200);
      expect(server.nodes.every(({ isRunning }) => isRunning)).toBe(true);
    },
    ATTACK_MS + 60_000,
  );
});
