import type { Emitter } from './events.ts';
import type { ClientState } from './state.ts';
import { Value } from './store/observable.ts';

/** What the connection is doing, for showing. Each change is told as an event too. */
export class StateTeller extends Value<ClientState> {
  constructor(private readonly emitter: Emitter) {
    super('signed_out');
  }

  override set(state: ClientState): void {
    if (state === this.get()) return;
    super.set(state);
    this.emitter.emit('state', state);
  }
}
