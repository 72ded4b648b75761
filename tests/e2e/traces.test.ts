import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Message } from '../../protocol/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type Person, signUpAll } from '../support/people.ts';
import { closeReceivers, openReceiver, type Receiver } from '../support/receiver.ts';
import { endServers, startServer, type TestServer } from '../support/server.ts';
import { runStored } from '../support/stored.ts';

setDefaultTimeout(60_000);

let server: TestServer;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await openReceiver();
  server = await startServer({
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRET: 'a secret of more than 32 characters, of tests',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_EVENTS: 'participant.left',
  });
});
afterAll(async () => {
  await endServers();
  await closeReceivers();
});

const add = (admin: Person, group: string, who: Person) =>
  admin.call('POST', `/conversations/${group}/participants`, { user_ids: [who.id] });
const textsOf = (messages: Message[]) => messages.filter(({ type }) => type === 'system').map((one) => one.content);

describe('a system message', () => {
  test('says its names as they are when it is read', async () => {
    const [ann, ben] = await signUpAll(server, 'ann', 'ben');
    const group = await ann.group([], 'Crew');
    await add(ann, group, ben);
    expect(textsOf(await ben.history(group))).toEqual([
      `${ann.user.username} created the group “Crew”`,
      `${ann.user.username} added ${ben.user.username}`,
    ]);
    await ben.call('PATCH', '/users/me', { username: `${ben.user.username}-anew` });
    await eventually('the new name is read', async () =>
      textsOf(await ann.history(group)).includes(`${ann.user.username} added ${ben.user.username}-anew`),
    );
  });

  test('keeps no name of who deleted their account, wherever it is read', async () => {
    const [ann, ghost] = await signUpAll(server, 'ann', 'ghost');
    const group = await ghost.group([], 'Crew');
    await add(ghost, group, ann);
    await ghost.call('PATCH', `/conversations/${group}`, { name: 'Crew of two' });
    const notes = await ann.history(group);
    const since = (await ann.call('GET', `/conversations/${group}`)).body.conversation.rev;
    // Who quotes it quotes what it says.
    const quote = async (content: string) => {
      const body = { content, reply_to: notes[0]!.id };
      return (await ann.call<Message>('POST', `/conversations/${group}/messages`, body)).body;
    };
    const [v1] = await Promise.all([ann.connect()]);
    await quote('before');
    const heard = await v1.find((frame) => frame.content === 'before');
    expect(heard.reply_to.excerpt).toBe(`${ghost.user.username} created the group “Crew”`);

    await ghost.call('DELETE', '/users/me', { password: ghost.password });
    const left = await v1.next('participant.left');
    expect(left.message.content).toBe('deleted user left');
    const after = await quote('after');
    expect(after.reply_to?.excerpt).toBe('deleted user created the group “Crew”');
    expect((await v1.find((frame) => frame.content === 'after')).reply_to.excerpt).toBe(
      'deleted user created the group “Crew”',
    );

    const history = await ann.history(group);
    expect(textsOf(history)).toEqual([
      'deleted user created the group “Crew”',
      `deleted user added ${ann.user.username}`,
      'deleted user renamed the group to “Crew of two”',
      'deleted user left',
    ]);
    const read = await Promise.all([
      ann.call('GET', `/conversations/${group}/messages`),
      ann.call('GET', `/conversations/${group}/messages?around=${notes[1]!.id}`),
      ann.call('GET', `/conversations/${group}/changes?since=0&marks_since=0`),
      ann.call('GET', `/conversations/${group}/changes?since=${since}`),
      ann.call('GET', '/conversations'),
      ann.call('GET', `/conversations/${group}`),
      ann.call('POST', '/sync', { conversations: [{ id: group, rev: 1, marks_rev: 0 }] }),
      ann.call('PUT', `/conversations/${group}/messages/${notes[0]!.id}/reactions/${encodeURIComponent('👍')}`),
    ]);
    for (const { status, body } of read) {
      expect(status).toBe(200);
      expect(JSON.stringify(body)).not.toContain(ghost.user.username);
    }
    const late = await v1.find((frame) => frame.event === 'message.updated' && frame.id === notes[0]!.id);
    expect(late.content).toBe('deleted user created the group “Crew”');

    await eventually('the departure is told', async () => receiver.eventsOf(group).length === 1);
    expect(receiver.eventsOf(group)[0]!.body.data).toMatchObject({ message: { content: 'deleted user left' } });
  });

  test('has no text of its own where it is kept, nor one that a version before left there', async () => {
    const [ann, ben] = await signUpAll(server, 'ann', 'ben');
    const group = await ann.group([ben]);
    const kept = () =>
      runStored<{ content: string }>(server, "select content from messages where type = 'system' and content <> ''");
    expect(await kept()).toEqual([]);

    const before = "update messages set content = 'old name left' where type = 'system' and conversation_id = ?";
    await runStored(server, before, group);
    await ann.send(group, 'stays');
    expect(textsOf(await ben.history(group))).toEqual([`${ann.user.username} created the group “A group”`]);
    await server.stop();
    await runStored(server, "insert into meta (key, value) values ('system_texts', '')");
    await runStored(server, "update duties set next_at = 0 where name = 'kept-texts'");
    await server.start();
    await eventually('the texts are gone', async () => (await kept()).length === 0);
    const place = () => runStored(server, "select value from meta where key = 'system_texts'");
    await eventually('nothing is left to do', async () => (await place()).length === 0);
    expect((await ben.history(group)).at(-1)?.content).toBe('stays');
  });
});
