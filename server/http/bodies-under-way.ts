import { BODY_MS, MAX_BODY_BYTES } from '../../protocol/limits.ts';
import { addressKey } from '../limits/rate-limits.ts';
import { ParleyError } from '../shared/errors.ts';

/** Bytes that bodies may hold together: of all clients, and of one address. */
export interface BodyBudget {
  all: number;
  address: number;
}

/** After how long there may be room again, in milliseconds. */
const RETRY_MS = 1000;
/** What a piece of a body takes beside its bytes, however small it is. */
const PIECE_BYTES = 512;

/**
 * Bodies of requests that are not answered yet. The runtime keeps what of a body has come, however little of it is read, so what
 * one may hold is taken from a budget before any of it is waited for (ASVS 15.2.2). Nobody keeps the memory of this process
 * by sending bodies that never end.
 */
export class BodiesUnderWay {
  private readonly ofAddress = new Map<string, number>();
  private bytes = 0;

  constructor(private readonly most: BodyBudget) {}

  /** What they hold, in bytes. */
  get size(): number {
    return this.bytes;
  }

  /**
   * The body of a request that has one; whoever opens it calls `release` when the request is answered. Fails with
   * `payload_too_large`, and where there is no room with `rate_limited` (of the address) or `unavailable` (of all).
   */
  open(request: Request, address: string): IncomingBody | undefined {
    const { headers } = request;
    if (headers.has('transfer-encoding')) return new StreamedBody(request, this.account(address));
    const length = Number(headers.get('content-length') ?? 0);
    if (length === 0) return undefined;
    if (length > MAX_BODY_BYTES) throw new ParleyError('payload_too_large');
    const account = this.account(address);
    account.take(length);
    return new WholeBody(request, length, account);
  }

  private account(address: string): BodyAccount {
    const key = addressKey(address);
    let held = 0;
    return {
      take: (bytes) => {
        this.take(key, bytes);
        held += bytes;
      },
      giveBack: () => {
        this.give(key, held);
        held = 0;
      },
    };
  }

  private take(key: string, bytes: number): void {
    const ofAddress = (this.ofAddress.get(key) ?? 0) + bytes;
    if (ofAddress > this.most.address) {
      const message = 'Too many bodies under way from one address: wait for the answers to those before';
      throw new ParleyError('rate_limited', message, { retryAfterMs: RETRY_MS });
    }
    if (this.bytes + bytes > this.most.all) throw new ParleyError('unavailable', undefined, { retryAfterMs: RETRY_MS });
    this.bytes += bytes;
    this.ofAddress.set(key, ofAddress);
  }

  private give(key: string, bytes: number): void {
    this.bytes -= bytes;
    const left = (this.ofAddress.get(key) ?? 0) - bytes;
    if (left > 0) this.ofAddress.set(key, left);
    else this.ofAddress.delete(key);
  }
}

/** What one body holds of the budget. */
interface BodyAccount {
  take(bytes: number): void;
  giveBack(): void;
}

/** A body on its way. */
export interface IncomingBody {
  /**
   * All of it as text. Fails with `payload_too_large` beyond `maxBytes`, with `request_timeout` where it does not come in time,
   * with `invalid_json` where its client gave it up.
   */
  text(maxBytes: number): Promise<string>;
  /** What it holds is free. To be called when its request is answered; what still comes of it the runtime throws away. */
  release(): void;
}

/** A body that says its length. The runtime keeps it until it is read. */
class WholeBody implements IncomingBody {
  constructor(
    private readonly request: Request,
    private readonly length: number,
    private readonly account: BodyAccount,
  ) {}

  async text(maxBytes: number): Promise<string> {
    if (this.length > maxBytes) throw new ParleyError('payload_too_large');
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new ParleyError('request_timeout')), BODY_MS);
    try {
      return await Promise.race([this.request.text(), late.promise]);
    } catch (error) {
      throw asFailure(error);
    } finally {
      clearTimeout(timer);
    }
  }

  release(): void {
    this.account.giveBack();
  }
}

/**
 * A body in chunks, of a length that nobody knows. It is read from the first moment, so that its bytes are counted as they come:
 * meanwhile the runtime would keep any number of them.
 */
class StreamedBody implements IncomingBody {
  private readonly pieces: Uint8Array[] = [];
  private size = 0;
  private maxBytes = MAX_BODY_BYTES;
  private isReleased = false;
  private readonly reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  private readonly whole: Promise<void>;

  constructor(
    request: Request,
    private readonly account: BodyAccount,
  ) {
    this.reader = request.body?.getReader();
    this.whole = this.receive();
    this.whole.catch(() => {}); // told to whoever reads it, if anybody does
  }

  async text(maxBytes: number): Promise<string> {
    this.maxBytes = maxBytes;
    if (this.size > maxBytes) throw new ParleyError('payload_too_large');
    await this.whole;
    return new TextDecoder().decode(Buffer.concat(this.pieces));
  }

  release(): void {
    this.isReleased = true;
    this.drop();
  }

  private async receive(): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new ParleyError('request_timeout')), BODY_MS);
    try {
      await Promise.race([this.readAll(), late.promise]);
    } catch (error) {
      this.drop();
      throw asFailure(error);
    } finally {
      clearTimeout(timer);
    }
  }

  private async readAll(): Promise<void> {
    for (;;) {
      const { done, value } = (await this.reader?.read()) ?? { done: true };
      if (done || this.isReleased) return;
      this.size += value.length;
      if (this.size > this.maxBytes) throw new ParleyError('payload_too_large');
      this.account.take(value.length + PIECE_BYTES);
      this.pieces.push(value);
    }
  }

  /** From here on the runtime throws away what comes. */
  private drop(): void {
    this.pieces.length = 0;
    this.account.giveBack();
    this.reader?.cancel().catch(() => {}); // its client is gone already
  }
}

/** What reading a body failed with: what the runtime says of it is that the client is gone, or broke off. */
function asFailure(error: unknown): ParleyError {
  return error instanceof ParleyError ? error : new ParleyError('invalid_json', 'The body did not come whole');
}
