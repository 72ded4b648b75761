/**
 * What `make` gives, made at most once in so many milliseconds: whoever asks in between gets the same, also while it is being
 * made. What anybody may ask for, as often as they like, costs no more than that. A failure is told to those who waited for it,
 * and the next one tries again.
 */
export function atMostOnceIn<T>(milliseconds: number, make: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined;
  let holdsUntil = 0;
  let isMaking = false;
  return () => {
    if (last && (isMaking || performance.now() < holdsUntil)) return last;
    holdsUntil = performance.now() + milliseconds;
    isMaking = true;
    const made = make().finally(() => {
      isMaking = false;
    });
    made.catch(() => {
      last = undefined;
    });
    last = made;
    return made;
  };
}
