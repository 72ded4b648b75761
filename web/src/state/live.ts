import { createSubscriber } from 'svelte/reactivity';
import type { Observable } from '../sdk.ts';

/** Something that the SDK observes, as a value that Svelte follows while anything on screen reads it. */
export class Live<T> {
  readonly #source: Observable<T>;
  readonly #follow: () => void;

  constructor(source: Observable<T>) {
    this.#source = source;
    this.#follow = createSubscriber((update) => {
      let isFirst = true; // what it is now was read already
      return source.subscribe(() => {
        if (!isFirst) update();
        isFirst = false;
      });
    });
  }

  get value(): T {
    this.#follow();
    return this.#source.get();
  }
}
