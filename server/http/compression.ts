import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';
import { MIN_COMPRESSED_BYTES } from '../../protocol/limits.ts';

/**
 * Codings of an answer, in the order in which the server picks among those that a client likes equally. Measured on a page of
 * 50 messages, they make the same quarter of it; zstd takes the least time, brotli three times that (docs/BENCHMARKS.md).
 */
export const ENCODINGS = ['zstd', 'br', 'gzip'] as const;
export type Encoding = (typeof ENCODINGS)[number];

const compressZstd = promisify(zstdCompress);
const compressBrotli = promisify(brotliCompress);
const compressGzip = promisify(gzip);

/** On a thread of the runtime's: the event loop goes on meanwhile. */
export async function compress(bytes: Uint8Array, encoding: Encoding): Promise<Uint8Array<ArrayBuffer>> {
  const compressed = await startCompressing(bytes, encoding);
  return compressed as Uint8Array<ArrayBuffer>;
}

function startCompressing(bytes: Uint8Array, encoding: Encoding): Promise<Uint8Array> {
  if (encoding === 'zstd') return compressZstd(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  if (encoding === 'gzip') return compressGzip(bytes, { level: 6 });
  return compressBrotli(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 4,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

/** Whether a text is long enough that its compression pays. */
export function isWorthCompressing(text: string): boolean {
  if (text.length > MIN_COMPRESSED_BYTES) return true;
  // A character takes three bytes at most, for each of its UTF-16 units.
  return text.length * 3 > MIN_COMPRESSED_BYTES && Buffer.byteLength(text) > MIN_COMPRESSED_BYTES;
}

/**
 * How a client wants an answer to be coded (RFC 9110 §12.5.3); undefined: as it is. What has the greatest `q` is taken, and
 * nothing that has `q=0`. An answer as it is may always be sent, for there is no other where none is acceptable.
 */
export function negotiateEncoding(accepted: string | undefined): Encoding | undefined {
  if (accepted === undefined) return undefined;
  const weights = readWeights(accepted);
  const others = weights.get('*') ?? 0;
  // Of what a client names no weight for, the plain form is the last that it wants.
  let best = weights.get('identity') ?? 0;
  let picked: Encoding | undefined;
  for (const encoding of ENCODINGS) {
    const weight = weights.get(encoding) ?? others;
    if (weight > best || (weight === best && weight > 0 && picked === undefined)) {
      best = weight;
      picked = encoding;
    }
  }
  return picked;
}

/** Each coding with its weight, 0 to 1. What is no weight counts as 0: it was meant as one, and nobody knows which. */
function readWeights(accepted: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const item of accepted.split(',')) {
    const [coding = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const given = parameters.find((parameter) => /^q\s*=/.test(parameter));
    const weight = given === undefined ? 1 : Number(given.slice(given.indexOf('=') + 1).trim() || Number.NaN);
    if (coding !== '') weights.set(coding === 'x-gzip' ? 'gzip' : coding, weight >= 0 && weight <= 1 ? weight : 0);
  }
  return weights;
}
