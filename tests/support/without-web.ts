/** The program as it is where its web client was not built. */
import { plugin } from 'bun';

plugin({
  name: 'without-web',
  setup(build) {
    build.onLoad({ filter: /server[\\/]pages[\\/]web-files\.ts$/ }, () => ({
      loader: 'ts',
      contents: 'export const webFiles = () => ({});',
    }));
  },
});

await import('../../server/main.ts');
