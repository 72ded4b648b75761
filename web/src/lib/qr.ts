/** The picture of a QR code: its dark squares as one path, in a square of so many units. */
export interface Qr {
  size: number;
  path: string;
}

/**
 * What an SVG of the server draws, as far as it is a QR code: the path of its squares and nothing else of it, so that no markup of an
 * answer is ever put into the page. Undefined where it is drawn in another way than this client knows.
 */
export function qrOf(svg: string): Qr | undefined {
  const size = /viewBox="0 0 (\d+) \1"/.exec(svg)?.[1];
  const path = /<path fill="black" d="([Mhvz\d,\s-]+)"/.exec(svg)?.[1];
  return size === undefined || path === undefined ? undefined : { size: Number(size), path };
}
