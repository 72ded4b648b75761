import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where `vite build` puts the web client. */
const FOLDER = join(import.meta.dir, '../../web/dist');

/**
 * The files of the web client: URL path to file path. Empty where it was not built. The build of the executable puts a list
 * of what it embeds in the place of this module: scripts/embed-web.ts.
 */
export function webFiles(): Record<string, string> {
  if (!existsSync(join(FOLDER, 'index.html'))) return {};
  const names = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(FOLDER, name)).isFile());
  return Object.fromEntries(files.map((name) => [`/${name.replaceAll('\\', '/')}`, join(FOLDER, name)]));
}
