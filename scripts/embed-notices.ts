import type { BunPlugin } from 'bun';
import { thirdPartyNotices } from './notices.ts';

/** Puts what the licences of others ask to be said into the executable: `parley licences` prints it. */
export const embedNotices: BunPlugin = {
  name: 'embed-notices',
  setup(build) {
    build.onLoad({ filter: /server[\\/]notices\.ts$/ }, () => ({
      loader: 'ts',
      contents: `export const notices = () => ${JSON.stringify(thirdPartyNotices())};\n`,
    }));
  },
};
