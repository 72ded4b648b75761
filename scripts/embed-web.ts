import type { BunPlugin } from 'bun';
import { webFiles } from '../server/pages/web-files.ts';

/** Puts the built web client into the executable: in the place of server/pages/web-files.ts comes a module that imports each file. */
export const embedWeb: BunPlugin = {
  name: 'embed-web',
  setup(build) {
    build.onLoad({ filter: /server[\\/]pages[\\/]web-files\.ts$/ }, () => ({
      loader: 'ts',
      contents: listOf(webFiles()),
    }));
  },
};

function listOf(files: Record<string, string>): string {
  const entries = Object.entries(files);
  const imports = entries.map(
    ([, path], index) => `import file${index} from ${JSON.stringify(path)} with { type: 'file' };`,
  );
  const list = entries.map(([url], index) => `${JSON.stringify(url)}: file${index}`);
  return `${imports.join('\n')}\nexport const webFiles = () => ({ ${list.join(', ')} });\n`;
}
