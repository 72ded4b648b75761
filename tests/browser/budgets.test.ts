import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { gzipSync } from 'bun';
import { type Person, signUp } from '../support/people.ts';
import { report } from '../support/report.ts';
import { endServers } from '../support/server.ts';
import { canBrowse, median, Stage, type Visitor } from './support.ts';

setDefaultTimeout(180_000);

const BUDGET = { scriptKiB: 150, coldMs: 1000, rows: 200, movePx: 1, shift: 0.02 };
const RUNS = { least: 5, most: 10 };
const MANY = 10_000;

describe.skipIf(!canBrowse)('the budgets', () => {
  let stage: Stage;
  let alice: Person;
  let conversation: string;

  beforeAll(async () => {
    stage = await Stage.open();
    const [a, b] = await Promise.all([signUp(stage.server, 'alice'), signUp(stage.server, 'bob')]);
    alice = a;
    conversation = await a.direct(b);
    await fill(b, conversation, MANY);
    await a.call('POST', `/conversations/${conversation}/read`, { seq: MANY });
  });
  afterAll(async () => {
    await stage?.close();
    await endServers();
  });

  test(`first load: at most ${BUDGET.scriptKiB} KiB of script, gzipped`, async () => {
    const page = await (await fetch(`${stage.server.url}/`)).text();
    const scripts = [...page.matchAll(/(?:src|href)="([^"]+\.js)"/g)].map(([, path]) => path!);
    const sizes = await Promise.all(
      scripts.map(async (path) => gzipSync(await (await fetch(stage.server.url + path)).bytes()).length),
    );
    const kib = sizes.reduce((sum, size) => sum + size, 0) / 1024;
    report('first load', { 'script, KiB gzipped': kib.toFixed(1) });
    expect(kib).toBeLessThanOrEqual(BUDGET.scriptKiB);
  });

  test(`from cold navigation to a usable composer: at most ${BUDGET.coldMs} ms, and no layout shift`, async () => {
    // On the page itself, from the start of the navigation: what drives the browser from outside looks twice a second.
    const times: number[] = [];
    let worstShift = 0;
    // The browser is new to the page each time; the server has been up for a while, as servers are.
    const first = await stage.enter(alice);
    await first.page.goto(`${stage.server.url}/c/${conversation}`);
    await first.message(`Message ${MANY}`).waitFor();
    await first.context.close();
    const least = () => Math.min(...times);
    // What another program took of the machine is not the client's: the fastest counts, as with all that is compared here.
    while (times.length < RUNS.least || (times.length < RUNS.most && least() > BUDGET.coldMs)) {
      const visitor = await stage.enter(alice);
      await visitor.page.addInitScript(() => {
        (globalThis as any).shift = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries() as any[])
            if (!entry.hadRecentInput) (globalThis as any).shift += entry.value;
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await visitor.page.addInitScript(() => {
        (globalThis as any).usable = new Promise((resolve) => {
          const look = () => {
            const field = document.querySelector<HTMLTextAreaElement>('#composer');
            if (!field?.checkVisibility()) return requestAnimationFrame(look);
            if (field.value === '') {
              field.focus();
              document.execCommand('insertText', false, 'usable');
            }
            // Not just there: the client has heard it, and would send it.
            const button = field.form?.querySelector<HTMLButtonElement>('button.send');
            return button && !button.disabled ? resolve(performance.now()) : requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        });
      });
      await visitor.page.goto(`${stage.server.url}/c/${conversation}`, { waitUntil: 'commit' });
      times.push(await visitor.page.evaluate(() => (globalThis as any).usable));
      expect(await visitor.composer.inputValue()).toBe('usable');
      // Whatever may still come and push something aside.
      await visitor.message(`Message ${MANY}`).waitFor();
      await visitor.page.waitForLoadState('networkidle');
      worstShift = Math.max(worstShift, await visitor.page.evaluate(() => (globalThis as any).shift));
      await visitor.context.close();
    }
    report('cold navigation', {
      'to a usable composer, fastest, ms': least().toFixed(0),
      'median, ms': median(times).toFixed(0),
      'each, ms': times.map((time) => time.toFixed(0)).join(', '),
      'layout shift': worstShift.toFixed(4),
    });
    expect(least()).toBeLessThanOrEqual(BUDGET.coldMs);
    expect(worstShift).toBeLessThanOrEqual(BUDGET.shift);
  });

  test(`${MANY} messages: at most ${BUDGET.rows} rows, and the line one reads moves at most ${BUDGET.movePx} px`, async () => {
    const visitor = await stage.enter(alice);
    await visitor.go(`/c/${conversation}`);
    await visitor.message(`Message ${MANY}`).waitFor();
    let rows = 0;
    let moved = 0;
    let pages = 0;
    const started = performance.now();
    for (;;) {
      const step = await scrollUp(visitor);
      rows = Math.max(rows, step.rows);
      moved = Math.max(moved, step.moved);
      pages++;
      if (step.oldest === 1 && step.isAtTop) break;
      if (pages > 2000) throw new Error(`stopped at ${step.oldest}`);
    }
    const seconds = (performance.now() - started) / 1000;
    await visitor.page.getByRole('button', { name: 'Jump to newest' }).click();
    await visitor.message(`Message ${MANY}`).waitFor();
    report(`a conversation of ${MANY}`, {
      'most rows in the document': rows,
      'the line that is read moved by at most, px': moved.toFixed(3),
      'to the very first message, s': seconds.toFixed(1),
      'steps of scrolling': pages,
    });
    expect(rows).toBeLessThanOrEqual(BUDGET.rows);
    expect(moved).toBeLessThanOrEqual(BUDGET.movePx);
    expect(visitor.failures).toEqual([]);
    await visitor.context.close();
  });
});

/** Messages of one person, quickly: many at once. */
async function fill(person: Person, conversation: string, count: number): Promise<void> {
  const socket = await person.connect();
  let sent = 0;
  while (sent < count) {
    const batch = Array.from(
      { length: Math.min(50, count - sent) },
      () => `Message ${++sent}${' and more'.repeat(sent % 13)}`,
    );
    for (const content of batch)
      socket.send({ event: 'message.send', client_id: crypto.randomUUID(), conversation_id: conversation, content });
    for (const _ of batch) await socket.next('ack');
  }
  await socket.close();
}

/** Scrolls up, waits until everything has settled, and tells how far the line in the middle has moved from where it was left. */
function scrollUp({ page }: Visitor) {
  return page.evaluate(async () => {
    const scroller = document.querySelector<HTMLElement>('section[aria-label="Messages"]')!;
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const rows = () => [...scroller.querySelectorAll<HTMLElement>('li[data-key]')];
    scroller.scrollTop -= 1400;
    // Where the reader's hand has put it, before anything is added.
    const middle = scroller.getBoundingClientRect().top + scroller.clientHeight / 2;
    const line = rows().find((row) => row.getBoundingClientRect().bottom > middle)!;
    const before = line.querySelector('[data-line]')!.getBoundingClientRect().top;
    let moved = 0;
    const key = line.dataset.key!;
    let quiet = 0;
    let seen = '';
    while (quiet < 4) {
      await frame();
      const now = rows()
        .find((row) => row.dataset.key === key)
        ?.querySelector('[data-line]');
      moved = Math.max(moved, now ? Math.abs(now.getBoundingClientRect().top - before) : Number.POSITIVE_INFINITY);
      const state = `${rows()[0]?.dataset.key} ${scroller.querySelector('[role=status]') !== null}`;
      quiet = state === seen && !state.endsWith('true') ? quiet + 1 : 0;
      seen = state;
    }
    return { rows: rows().length, moved, oldest: Number(rows()[0]?.dataset.seq), isAtTop: scroller.scrollTop <= 0 };
  });
}
