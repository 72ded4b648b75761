/** Storage in a file, for Node and Bun. A module of its own, so that browsers never see `node:fs`. */
export { FileStorage } from './storage/file.ts';
