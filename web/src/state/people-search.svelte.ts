import { ParleyError, type PublicUser } from '../sdk.ts';
import { parley } from './parley.ts';

/** How long to wait for the next key, in milliseconds. */
const PAUSE_MS = 180;

/** People, as they are looked for. */
export class PeopleSearch {
  query = $state('');
  found = $state.raw<PublicUser[]>([]);
  state = $state<'empty' | 'searching' | 'done' | 'failed'>('empty');
  #timer: ReturnType<typeof setTimeout> | undefined;
  #request: AbortController | undefined;

  /** To be called when the query has changed. */
  changed(): void {
    clearTimeout(this.#timer);
    this.#request?.abort();
    if (this.query.trim() === '') {
      this.found = [];
      this.state = 'empty';
      return;
    }
    this.state = 'searching';
    this.#timer = setTimeout(() => this.#search(this.query.trim()), PAUSE_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#request?.abort();
  }

  async #search(query: string): Promise<void> {
    const request = new AbortController();
    this.#request = request;
    try {
      const { users } = await parley.api.searchUsers(query.replace(/^@/, ''), { limit: 30, signal: request.signal });
      if (request.signal.aborted) return;
      this.found = users;
      this.state = 'done';
    } catch (error) {
      if (ParleyError.from(error).code !== 'aborted') this.state = 'failed';
    }
  }
}
