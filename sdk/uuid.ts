let lastMs = 0;
let counter = 0;

/**
 * A UUIDv7 (RFC 9562 §5.7): of two made here, the later one is the greater, also within a millisecond and when the clock
 * is set back (method 1 of §6.2).
 */
export function uuidv7(now = Date.now()): string {
  if (now > lastMs) {
    lastMs = now;
    counter = 0;
  } else if (++counter > 0xfff) {
    lastMs++;
    counter = 0;
  }
  const random = crypto.getRandomValues(new Uint8Array(8));
  random[0] = (random[0]! & 0x3f) | 0x80;
  const head = lastMs.toString(16).padStart(12, '0') + (0x7000 | counter).toString(16);
  const hex = head + Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
