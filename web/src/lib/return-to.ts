/**
 * Where in this client somebody may be led on to: its own screens, written as the client itself writes them. Whatever else an
 * address says, such as another site's, is no place to go (CWE-601).
 */
const DESTINATION = /^\/(?:settings\/security|c\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?$/;

/** The place that a text names; undefined where it names none. */
export function destinationIn(text: unknown): string | undefined {
  return typeof text === 'string' && DESTINATION.test(text) ? text : undefined;
}
