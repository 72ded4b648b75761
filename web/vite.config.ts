import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

const SERVER = process.env.PARLEY_URL ?? 'http://localhost:8080';
/** The service worker is the one script whose address must never change. */
const WORKER = 'sw';
/** What few people need, and is larger than all else: it is fetched when somebody does, and not kept with the shell. */
const FETCHED_LATER = /^assets\/strength-worker-/;

export default defineConfig({
  root: import.meta.dirname,
  plugins: [svelte(), precache()],
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: `${import.meta.dirname}/index.html`, [WORKER]: `${import.meta.dirname}/src/sw.ts` },
      output: {
        entryFileNames: ({ name }) => (name === WORKER ? '[name].js' : 'assets/[name]-[hash].js'),
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  server: {
    port: 5173,
    strictPort: true,
    proxy: { '/api': SERVER, '/ws': { target: SERVER, ws: true }, '/about': SERVER, '/metrics': SERVER },
  },
});

/** Writes into the service worker which files the shell is made of, and a version that changes with any of them. */
function precache(): Plugin {
  return {
    name: 'parley-precache',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const worker = bundle[`${WORKER}.js`];
      if (worker?.type !== 'chunk') throw new Error('The service worker was not built');
      const files = Object.keys(bundle).filter((name) => {
        return name.startsWith('assets/') && !name.endsWith('.map') && !FETCHED_LATER.test(name);
      });
      const list = ['/', ...files.sort().map((name) => `/${name}`), ...PUBLIC_FILES];
      worker.code = worker.code.replace(/(["'`])__PRECACHE__\1/, () => JSON.stringify(JSON.stringify(list)));
    },
  };
}

/** What of web/public the shell needs without a network. */
const PUBLIC_FILES = [
  '/assets/theme.js',
  '/assets/icon.svg',
  '/assets/icon-unread.svg',
  '/assets/icon-192.png',
  '/manifest.webmanifest',
];
