import { source as axe } from 'axe-core';
import type { Visitor } from './support.ts';

/** What axe finds on the screen that is shown, of WCAG 2.2 AA, in words. */
export async function findings({ page }: Visitor): Promise<string[]> {
  // Through the debugger: the page's own policy lets no script in.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    (globalThis as any).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  return violations
    .filter(({ impact }: any) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }: any) =>
        `${id}: ${nodes.map(({ html, any }: any) => `${html.slice(0, 160)} ${any[0]?.message ?? ''}`).join('; ')}`,
    );
}
