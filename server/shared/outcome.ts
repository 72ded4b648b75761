/** How one try of a job ended. `reason` is for operators: a few words, nothing of the message and no secret. */
export type Outcome =
  | { kind: 'done' }
  /** It may succeed later; `afterMs`: not before, as the other side asked. */
  | { kind: 'failed'; reason: string; afterMs?: number }
  /** It will not succeed by being tried again. */
  | { kind: 'hopeless'; reason: string };
