import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { eventually } from './eventually.ts';

/** A letter that the mail server took, or refused at its end. */
export interface Mail extends Email {
  /** To whom the envelope said: what a program wrote into the letter itself need not agree. */
  recipients: string[];
  /** As it came. */
  source: string;
  /** Whether it came over TLS. */
  encrypted: boolean;
}

interface Refusal {
  code: number;
  text: string;
}

/** What the mail server says of a letter once it has all of it; undefined takes it. `take and die`: it says 250, and hangs up. */
type Verdict = Refusal | 'hang up' | 'take and die' | undefined;

export interface MailboxOptions extends Pick<SMTPServerOptions, 'key' | 'cert'> {
  /** Whose password it asks for. */
  login?: { user: string; password: string };
}

/** A real mail server on this machine, that keeps what it is given. */
export class Mailbox {
  /** Every letter that came whole, whatever was said of it. */
  readonly mails: Mail[] = [];
  /** What is said of the next letters. */
  answer: (mail: Mail) => Verdict | Promise<Verdict> = () => undefined;
  /** What is said of the next recipients, before there is a letter. */
  judge: (address: string) => Refusal | undefined = () => undefined;
  /** Waited for before whoever connects is greeted. */
  greet: () => Promise<void> = async () => {};

  private constructor(private readonly server: SMTPServer) {}

  static async open({ login, ...tls }: MailboxOptions = {}): Promise<Mailbox> {
    const box: Mailbox = new Mailbox(
      new SMTPServer({
        ...tls,
        authOptional: login === undefined,
        disabledCommands: tls.cert === undefined ? ['STARTTLS'] : [],
        onAuth({ username, password }, _session, done) {
          const isRight = username === login?.user && password === login?.password;
          done(isRight ? null : new Error('wrong'), { user: username });
        },
        onConnect(_session, done) {
          void box.greet().then(() => done());
        },
        onRcptTo({ address }, _session, done) {
          done(toError(box.judge(address)));
        },
        onData(stream, { envelope, secure }, done) {
          const recipients = envelope.rcptTo.map(({ address }) => address);
          void box.take(stream, recipients, secure, done);
        },
      }),
    );
    // A client that hangs up is no failure of the test's.
    box.server.on('error', () => {});
    await new Promise<void>((resolve) => box.server.listen(0, '127.0.0.1', () => resolve()));
    return box;
  }

  get port(): number {
    return (this.server.server.address() as AddressInfo).port;
  }

  /** Settings with which a server sends its mail here, without encryption unless others say so. */
  environment(publicUrl = 'http://localhost:8080'): Record<string, string> {
    return { SMTP_URL: `smtp://127.0.0.1:${this.port}`, SMTP_TLS: 'off', PUBLIC_URL: publicUrl };
  }

  /** The letters to an address. */
  to(address: string): Mail[] {
    return this.mails.filter(({ recipients }) => recipients.includes(address));
  }

  /** The `count`-th letter to an address, once it has come. */
  async next(address: string, count = 1): Promise<Mail> {
    return await eventually(`letter ${count} to ${address}`, async () => this.to(address)[count - 1]);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(resolve));
  }

  private async take(
    stream: NodeJS.ReadableStream,
    recipients: string[],
    encrypted: boolean,
    done: (error?: Error | null) => void,
  ): Promise<void> {
    const source = await wholeOf(stream);
    if (source === undefined) return;
    const mail = { ...(await PostalMime.parse(source)), recipients, source, encrypted };
    this.mails.push(mail);
    const verdict = await this.answer(mail);
    if (verdict !== 'hang up') done(typeof verdict === 'object' ? toError(verdict) : null);
    if (typeof verdict === 'string') for (const connection of this.server.connections) connection.close();
  }
}

/** All that comes; undefined where whoever sends hangs up, or dies, before its end: that is no letter. */
async function wholeOf(stream: NodeJS.ReadableStream): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNECTION') return undefined;
    throw error;
  }
  return Buffer.concat(chunks).toString();
}

function toError(refusal: Refusal | undefined): Error | null {
  return refusal ? Object.assign(new Error(refusal.text), { responseCode: refusal.code }) : null;
}
