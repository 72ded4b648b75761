import { session } from './state/session.svelte.ts';

/** Runs before all else: who is signed in is found out while the rest of the client is made ready. */
session.watch();
void session.start();
