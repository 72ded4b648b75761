import type { Letter } from '../letter.ts';

/** What every letter knows. */
export interface Sender {
  /** Whose server it is: the host of `PUBLIC_URL`. */
  host: string;
}

/** The letters of one language. Each is a plain function: what it is given is shown as text, whatever it holds. */
export interface Phrases {
  test(sender: Sender): Letter;
}
