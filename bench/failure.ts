/** A measurement that cannot be trusted: a hole, a double, a lost frame, a socket cut. Ends the whole bench. */
export class BenchFailure extends Error {
  override readonly name = 'BenchFailure';
}
