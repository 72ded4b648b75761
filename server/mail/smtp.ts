import { createTransport } from 'nodemailer';
import type { Config } from '../config/config.ts';
import type { Outcome } from '../shared/outcome.ts';
import type { WrittenLetter } from './letters/letter.ts';

/** Connections to the mail server that one node keeps, at most. */
const CONNECTIONS = 2;
/** After so long without a letter a connection is closed, in milliseconds. */
const IDLE_MS = 30_000;

/** A letter on its way. */
export interface Envelope {
  /** A checked address (`Email`). */
  to: string;
  letter: WrittenLetter;
  /** The same for each try: a mail server, and whoever reads, can tell that it is one letter (RFC 5322 §3.6.4). */
  messageId: string;
}

/** The mail server of the configuration. */
export class Smtp {
  private readonly transport: ReturnType<typeof createTransport>;
  private readonly from: { name: string; address: string };

  constructor(config: Config['mail']) {
    const { protocol, hostname, port, username, password } = new URL(config.url);
    const isEncrypted = protocol === 'smtps:';
    this.from = config.from;
    this.transport = createTransport({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? (isEncrypted ? 465 : 587) : Number(port),
      secure: isEncrypted,
      requireTLS: config.tls === 'required',
      ignoreTLS: config.tls === 'off',
      auth: username === '' ? undefined : { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
      connectionTimeout: config.timeout,
      greetingTimeout: config.timeout,
      socketTimeout: config.timeout,
      dnsTimeout: config.timeout,
      pool: true,
      maxConnections: CONNECTIONS,
      idleTimeout: IDLE_MS,
      // The queue tries again, and it alone: what the pool sends twice nobody would know of.
      maxRequeues: 0,
      // A letter is what its functions wrote, and nothing that is read from elsewhere.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  /** One try. Resolves when the mail server has taken the letter, or with why it has not. */
  async send({ to, letter, messageId }: Envelope): Promise<Outcome> {
    try {
      await this.transport.sendMail({
        ...letter,
        from: this.from,
        // As an object: in a string, a line break would begin another address.
        to: { name: '', address: to },
        messageId,
        headers: {
          // Nobody wrote this, and nobody wants to hear that its reader is on holiday (RFC 3834 §5).
          'Auto-Submitted': 'auto-generated',
          'X-Auto-Response-Suppress': 'All',
        },
      });
      return { kind: 'done' };
    } catch (error) {
      return outcomeOf(error);
    }
  }

  close(): void {
    this.transport.close();
  }
}

interface SmtpFailure {
  code?: string;
  responseCode?: number;
  command?: string;
}

/** Codes of a mail server that is full for now although it says that this is for good (RFC 5321 §4.2.3). */
const FULL = [552];

/**
 * A mail server that refuses this letter for good will refuse it again; all else may mend itself. The server's own words are
 * left out: they repeat addresses.
 */
function outcomeOf(error: unknown): Outcome {
  const { code, responseCode, command } = error as SmtpFailure;
  const reason = [code ?? (error as Error).name, responseCode, command].filter((part) => part !== undefined).join(' ');
  const isRefused = responseCode !== undefined && responseCode >= 500 && !FULL.includes(responseCode);
  const isAboutLetter = code === 'EENVELOPE' || code === 'EMESSAGE';
  return isRefused && isAboutLetter ? { kind: 'hopeless', reason } : { kind: 'failed', reason };
}
