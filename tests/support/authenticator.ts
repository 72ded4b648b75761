import { Secret, TOTP } from 'otpauth';
import { passBetweenNodes } from './between-nodes.ts';
import { type Answer, type Person, request } from './people.ts';

/** A code of the step before now is good for this much longer, in milliseconds, or it is not shown. */
const HURRY_MS = 2000;
/** One step of a code, in milliseconds. */
export const STEP_MS = 30_000;

/** An authenticator app with one account in it. */
export class Authenticator {
  /** The newest step of which it has shown a code. */
  private shown = 0;

  constructor(readonly secret: string) {}

  /** The code of a moment. */
  at(timestamp: number): string {
    return new TOTP({ secret: Secret.fromBase32(this.secret) }).generate({ timestamp });
  }

  /** A code that is good now and that it has not shown yet: of the step now, or of one beside it, which servers take too. */
  async next(): Promise<string> {
    for (;;) {
      const oldest = Math.floor((Date.now() + HURRY_MS) / STEP_MS) - 1;
      const step = Math.max(oldest, this.shown + 1);
      if (step <= Math.floor(Date.now() / STEP_MS) + 1) {
        this.shown = step;
        return this.at(step * STEP_MS);
      }
      await Bun.sleep(STEP_MS - (Date.now() % STEP_MS));
    }
  }

  /** Six digits that are no code of any step near now. */
  wrong(): string {
    const near = [-3, -2, -1, 0, 1, 2, 3].map((steps) => this.at(Date.now() + steps * STEP_MS));
    for (let number = 0; ; number++) {
      const code = String(number).padStart(6, '0');
      if (!near.includes(code)) return code;
    }
  }
}

/** Somebody's second factor. */
export interface Enrolled {
  app: Authenticator;
  codes: string[];
}

/** Sets up an authenticator app, as its owner does; every node has heard of it. */
export async function enrol(person: Person): Promise<Enrolled> {
  const begun = await person.call('POST', '/auth/totp');
  if (begun.status !== 200) throw new Error(`beginning failed: ${JSON.stringify(begun.body)}`);
  const app = new Authenticator(begun.body.secret);
  const confirmed = await person.call('PUT', '/auth/totp', { code: await app.next() });
  if (confirmed.status !== 200) throw new Error(`confirming failed: ${JSON.stringify(confirmed.body)}`);
  await passBetweenNodes(person.server);
  return { app, codes: confirmed.body.codes };
}

/** Signs in with the password, and answers the ticket that asks for the rest. */
export async function ticketOf({ server, user, password }: Person): Promise<string> {
  const { status, body } = await request(server, 'POST', '/auth/login', { body: { email: user.email, password } });
  if (status !== 401 || body.code !== 'mfa_required') throw new Error(`no ticket: ${status} ${JSON.stringify(body)}`);
  return body.ticket;
}

/** Shows a second factor. */
export function show(
  server: { url: string },
  body: { ticket: string; method?: 'totp' | 'recovery'; code: string; device_token?: string },
  headers?: Record<string, string>,
): Promise<Answer> {
  return request(server, 'POST', '/auth/mfa', { body: { method: 'totp', ...body }, headers });
}
