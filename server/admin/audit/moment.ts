const AGO = /^(\d{1,5})([mhd])$/;
const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** A day, or a moment of it to the minute or finer; without an offset it is UTC (RFC 3339, and a little less). */
const MOMENT = /^\d{4}-\d\d-\d\d(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/i;

/** A moment as an operator writes it, in milliseconds since the Unix epoch: a time, or how long ago. Undefined for anything else. */
export function momentOf(text: string, now: number): number | undefined {
  const [, count, unit] = AGO.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * UNITS[unit as keyof typeof UNITS];
  const [, time, offset] = MOMENT.exec(text) ?? [];
  const day = text.slice(0, 10);
  if (!MOMENT.test(text) || !isDay(day)) return undefined;
  const moment = Date.parse(`${day}T${time ?? '00:00'}${offset ?? 'Z'}`);
  return Number.isNaN(moment) ? undefined : moment;
}

/** Whether there is such a day: the 31st of February is read as one of March by itself. */
function isDay(day: string): boolean {
  const midnight = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day);
}
