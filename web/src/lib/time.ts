import { strings } from '../strings.ts';

/** Times as people say them, in the reader's own locale and time zone. */

// Made at their first use: a browser takes some 40 ms for the first format of a page, which the composer need not wait for.
const clockFormat = formatter({ hour: 'numeric', minute: '2-digit' });
const weekdayFormat = formatter({ weekday: 'short' });
const dateFormat = formatter({ day: 'numeric', month: 'short' });
const yearFormat = formatter({ day: 'numeric', month: 'short', year: 'numeric' });
const longFormat = formatter({ weekday: 'long', day: 'numeric', month: 'long' });
const fullFormat = formatter({ dateStyle: 'full', timeStyle: 'short' });
const relative = once(() => new Intl.RelativeTimeFormat(strings.language, { numeric: 'auto' }));

const DAY_MS = 86_400_000;

/** Which day, in local time: the same for two times of one day. */
export function dayOf(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

function daysAgo(ms: number, now: number): number {
  return Math.round((dayOf(now) - dayOf(ms)) / DAY_MS);
}

export function clock(ms: number): string {
  return clockFormat().format(ms);
}

export function fullTime(ms: number): string {
  return fullFormat().format(ms);
}

/** For the list: the clock today, then the weekday, then the date. */
export function shortTime(ms: number, now = Date.now()): string {
  const days = daysAgo(ms, now);
  if (days <= 0) return clock(ms);
  if (days < 7) return weekdayFormat().format(ms);
  return days < 300 ? dateFormat().format(ms) : yearFormat().format(ms);
}

/** The date, with its year. */
export function dateOf(ms: number): string {
  return yearFormat().format(ms);
}

/** For the line between two days. */
export function dayLabel(ms: number, now = Date.now()): string {
  const days = daysAgo(ms, now);
  if (days === 0 || days === 1) return capital(relative().format(-days, 'day'));
  return days < 300 ? longFormat().format(ms) : yearFormat().format(ms);
}

/** How long ago somebody was there. */
export function ago(ms: number, now = Date.now()): string {
  const minutes = Math.floor((now - ms) / 60_000);
  if (minutes < 60) return relative().format(-Math.max(minutes, 0), 'minute');
  if (minutes < 24 * 60) return relative().format(-Math.floor(minutes / 60), 'hour');
  return dayLabel(ms, now);
}

/** How long it is until then, rounded up: nobody is to come back too early. */
export function until(ms: number): string {
  const seconds = Math.max(Math.ceil(ms / 1000), 1);
  if (seconds < 60) return relative().format(seconds, 'second');
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? relative().format(minutes, 'minute') : relative().format(Math.ceil(minutes / 60), 'hour');
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

function formatter(options: Intl.DateTimeFormatOptions): () => Intl.DateTimeFormat {
  return once(() => new Intl.DateTimeFormat(undefined, options));
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
