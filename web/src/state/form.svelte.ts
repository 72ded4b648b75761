import { tick } from 'svelte';
import { strings } from '../strings.ts';
import { type FieldErrors, fieldErrors } from './failure.ts';

/** What stands in the fields of a form, by their names. */
type Values = Record<string, string>;

/**
 * The errors of a form. Nothing is said before it is sent; then everything that is wrong is said at once, each beside its
 * field, and goes as the field is mended. What the server refused counts for as long as it is what stands in the field.
 */
export class Form {
  isBusy = $state(false);
  #isTried = $state(false);
  #refused = $state.raw<{ values: Values; errors: FieldErrors }>({ values: {}, errors: {} });
  readonly #values: () => Values;
  readonly #check: () => FieldErrors;
  readonly #places: Partial<Record<string, string>>;

  /**
   * `values`: what is filled in; `check`: what can be seen to be wrong without asking the server; `places`: beside which field a
   * failure stands, by its code, where that is not clear from itself.
   */
  constructor(values: () => Values, check: () => FieldErrors, places: Partial<Record<string, string>> = {}) {
    this.#values = values;
    this.#check = check;
    this.#places = places;
  }

  /** By field; `form` for what is about none. */
  readonly errors: FieldErrors = $derived.by(() => {
    const { values, errors: refusals } = this.#refused;
    const now = this.#values();
    const stands = (field: string) => now[field] === values[field];
    const isSame = Object.keys(now).every(stands);
    const refused = Object.entries(refusals).filter(([field]) => (field === 'form' ? isSame : stands(field)));
    return { ...Object.fromEntries(refused), ...(this.#isTried ? this.#check() : {}) };
  });

  /** Says at the end of the form what those hear of it who see no colours. */
  readonly summary: string = $derived.by(() => {
    const { form, ...fields } = this.errors;
    const count = Object.values(fields).filter((error) => error !== undefined).length;
    return form ?? (count > 1 ? strings.auth.toMend(count) : '');
  });

  /** Does what the form is for, unless something is wrong, and goes to the first wrong field. Resolves to whether it is done. */
  async send(event: SubmitEvent, work: () => Promise<unknown>): Promise<boolean> {
    event.preventDefault();
    if (this.isBusy) return false;
    this.#isTried = true;
    this.#refused = { values: {}, errors: {} };
    if (Object.keys(this.#check()).length === 0) {
      this.isBusy = true;
      try {
        await work();
        this.#isTried = false;
        return true;
      } catch (error) {
        this.#refuse(fieldErrors(error, this.#places));
      } finally {
        this.isBusy = false;
      }
    }
    await tick();
    (event.target as HTMLFormElement).querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
    return false;
  }

  /** As if nothing had been sent: the form is about something else now. */
  reset(): void {
    this.#isTried = false;
    this.#refused = { values: {}, errors: {} };
  }

  /** What is wrong with what stands there now; what is about a field that is not there is about the form. */
  #refuse(errors: FieldErrors): void {
    const values = this.#values();
    const own = Object.entries(errors).map(([field, text]) => [field in values ? field : 'form', text]);
    this.#refused = { values, errors: Object.fromEntries(own) };
  }
}
