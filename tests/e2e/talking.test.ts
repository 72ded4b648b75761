import { afterAll, beforeAll, expect, test } from 'bun:test';
import { type Person, signUpAll } from '../support/people.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';

let server: TestServer;
let alice: Person;
let bob: Person;

beforeAll(async () => {
  server = await startServer();
  [alice, bob] = await signUpAll(server, 'alice', 'bob');
});
afterAll(endServers);

test('what one says, the other hears, and the sender gets an ack that says where it stands', async () => {
  const conversation = await alice.direct(bob);
  const [hers, his] = await Promise.all([alice.connect(), bob.connect()]);

  const ack = await hers.ask({
    event: 'message.send',
    conversation_id: conversation,
    content: 'hello',
    client_id: 'k1',
  });
  expect(ack).toMatchObject({ event: 'ack', client_id: 'k1', conversation_id: conversation, seq: 1, rev: 2 });

  const heard = await his.next('message');
  expect(heard).toMatchObject({
    id: ack.id,
    content: 'hello',
    sender_id: alice.id,
    sender_username: alice.user.username,
    type: 'text',
    seq: 1,
    rev: 2,
    sent_at: ack.sent_at,
  });
});
