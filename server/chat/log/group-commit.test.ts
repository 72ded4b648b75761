import { describe, expect, test } from 'bun:test';
import { ParleyError } from '../../shared/errors.ts';
import { GroupCommit } from './group-commit.ts';
import { type AppendAnswer, type AppendRow, BatchError, type LogDriver } from './log-driver.ts';

/** A log in memory, which a row with this content spoils for its whole batch. */
const BAD = 'bad';

class MemoryLog implements LogDriver {
  readonly maxBatch = 128;
  readonly batches: string[][] = [];
  readonly stored: string[] = [];
  /** What the next batch fails with, whatever is in it. */
  failure: Error | undefined;
  /** What is refused before anything is taken. */
  refusal: Error | undefined;

  async append(take: () => AppendRow[]): Promise<AppendAnswer[]> {
    if (this.refusal) throw this.refusal;
    const contents = take().map(({ content }) => content);
    this.batches.push(contents);
    await Bun.sleep(1);
    if (this.failure) throw this.failure;
    if (contents.includes(BAD)) throw new BatchError(true, new Error('a constraint failed'));
    return contents.map((content) => {
      const seq = this.stored.push(content);
      return { kind: 'appended', seq, rev: seq };
    });
  }
}

const row = (content: string): AppendRow => ({
  id: content,
  conversationId: 'c',
  senderId: 's',
  clientId: content,
  type: 'text',
  content,
  sentAt: 0,
});

function build(queueLimit = 1000) {
  const driver = new MemoryLog();
  const committed: string[] = [];
  const onCommitted = (rows: AppendRow[]) => committed.push(...rows.map(({ content }) => content));
  const commits = new GroupCommit(driver, { queueLimit, onCommitted, observe() {} });
  const say = (contents: string[]) => Promise.allSettled(contents.map((content) => commits.append(row(content))));
  return { driver, committed, commits, say };
}

describe('group commit', () => {
  test('writes at once what comes alone, and together what comes meanwhile', async () => {
    const { driver, say } = build();
    const answers = await say(['a', 'b', 'c', 'd']);
    expect(driver.batches).toEqual([['a'], ['b', 'c', 'd']]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled']);
  });

  test('publishes what is committed before anyone hears their answer', async () => {
    const { committed, commits } = build();
    await commits.append(row('a')).then(() => expect(committed).toEqual(['a']));
  });

  test('lets one bad row fail alone, wherever it stands in its batch', async () => {
    for (const place of [0, 1, 3, 6]) {
      const { driver, committed, say } = build();
      const contents = ['b', 'c', 'd', 'e', 'f', 'g'].toSpliced(place, 0, BAD);
      const [first, ...answers] = await say(['a', ...contents]);
      expect(first!.status).toBe('fulfilled');
      for (const [index, { status }] of answers.entries()) {
        expect(status).toBe(contents[index] === BAD ? 'rejected' : 'fulfilled');
      }
      expect(driver.stored).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
      expect(committed).toEqual(driver.stored);
    }
  });

  test('does not try piece by piece what the machine could not do', async () => {
    const { driver, say } = build();
    driver.failure = new BatchError(false, new Error('the disk is full'));
    const answers = await say(['a', 'b', 'c']);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(driver.batches).toHaveLength(2);
  });

  test('tells all who wait when the driver refuses to take anything, and goes on after', async () => {
    const { driver, commits, say } = build();
    driver.refusal = new BatchError(false, new ParleyError('unavailable'));
    const answers = await say(['a', 'b']);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    driver.refusal = undefined;
    expect(await commits.append(row('c'))).toMatchObject({ seq: 1 });
  });

  test('refuses as `unavailable` what would wait behind too many', async () => {
    const { driver, commits, say } = build(2);
    const answers = await say(['a', 'b', 'c', 'd', 'e']);
    const refused = answers.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'unavailable', retryable: true });
    expect(driver.stored).toHaveLength(answers.length - refused.length);
    expect(commits.queued).toBe(0);
  });
});
