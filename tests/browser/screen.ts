import { expect } from 'bun:test';
import { findings } from './findings.ts';
import type { Visitor } from './support.ts';

/** What a person looks for on a screen, and what they find there. */

export const button = ({ page }: Visitor, name: string) => page.getByRole('button', { name, exact: true });
/** The field with this label; a part of the page may have the same name. */
export const field = ({ page }: Visitor, label: string) =>
  page.getByLabel(label, { exact: true }).and(page.locator('input'));
export const heading = ({ page }: Visitor, name: string) => page.getByRole('heading', { name, exact: true });
export const pathOf = ({ page }: Visitor) => page.url().replace(/^https?:\/\/[^/]+/, '');

/** What stands beside a field, as its description, and whether it is marked as wrong. */
export async function saidOf(visitor: Visitor, label: string) {
  return field(visitor, label).evaluate((input) => {
    const ids = input.getAttribute('aria-describedby')?.split(' ') ?? [];
    const text = ids.map((id) => document.getElementById(id)?.textContent?.trim()).join(' ');
    return { isWrong: input.getAttribute('aria-invalid') === 'true', text };
  });
}

/** The fields that are marked as wrong, by their names. */
export async function wrongFields({ page }: Visitor): Promise<(string | null)[]> {
  return page.locator('[aria-invalid="true"]').evaluateAll((inputs) => inputs.map((one) => one.getAttribute('name')));
}

/** Where the focus is: what the field is called, or what the element says. */
export async function focused({ page }: Visitor): Promise<string | undefined> {
  return page.evaluate(() => {
    const one = document.activeElement as HTMLInputElement | null;
    return (one?.labels?.[0] ?? one)?.textContent?.trim();
  });
}

/** That the screen is for everybody: nothing serious that axe finds, and nothing that is wider than it. */
export async function suitsEverybody(visitor: Visitor): Promise<void> {
  expect(await findings(visitor)).toEqual([]);
  const wide = await visitor.page.evaluate(() => {
    const limit = document.documentElement.clientWidth;
    return [...document.querySelectorAll('main *, dialog *')]
      .filter((one) => !one.closest('.hidden') && one.getBoundingClientRect().right > limit + 0.5)
      .map((one) => one.outerHTML.slice(0, 120));
  });
  expect(wide).toEqual([]);
}
