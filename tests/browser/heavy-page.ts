import { toHtmlUncached } from '../../web/src/lib/markdown.ts';
import { isOnlyEmoji, mayBeMarkdown, toLine } from '../../web/src/lib/message-text.ts';
import { heavyText, mutated } from '../support/heavy-texts.ts';
import { Random } from '../support/random.ts';

/** What runs in the page of heavy-messages.test.ts: the texts are made there, and measured there. */

const WORK = { toHtml: toHtmlUncached, draw, toLine, mayBeMarkdown, isOnlyEmoji };
type Work = keyof typeof WORK;

/** To lay a text out takes longer than all else, and depends on it least: this one of so many is. */
const DRAWN_ONE_IN = 40;
const TRIES = 3;

/**
 * The slowest of `count` generated texts by what is done with them, and how long that took. With `climbs` half of them are
 * mutants of the slowest so far: for a search by hand.
 */
export function measure(seed: number, count: number, climbs = false): Record<Work, { ms: number; text: string }> {
  const random = new Random(seed);
  const nothing = Object.keys(WORK).map((work) => [work, { ms: 0, text: '' }]);
  const slowest = Object.fromEntries(nothing) as ReturnType<typeof measure>;
  for (let made = 0; made < count; made++) {
    const text = heavyText(random);
    for (const work of Object.keys(WORK) as Work[]) {
      if (work === 'draw' && made % DRAWN_ONE_IN !== 0) continue;
      const one = climbs && random.chance(0.5) ? mutated(random, slowest[work].text) : text;
      const ms = least(work, one, slowest[work].ms);
      if (ms > slowest[work].ms) slowest[work] = { ms, text: one };
    }
  }
  return slowest;
}

/** The machine may have been busy with something else: what is slow is slow each time. */
function least(work: Work, text: string, known: number): number {
  let ms = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && ms > known; tries++) {
    const start = performance.now();
    WORK[work](text);
    ms = Math.min(ms, performance.now() - start);
  }
  return ms;
}

let place: HTMLElement | undefined;

function draw(text: string): void {
  place ??= document.body.appendChild(document.createElement('div'));
  const html = toHtmlUncached(text);
  place.style.whiteSpace = html === undefined ? 'pre-wrap' : '';
  if (html === undefined) place.textContent = text;
  else place.innerHTML = html;
  void place.offsetHeight;
}

Object.assign(globalThis, { measure });
