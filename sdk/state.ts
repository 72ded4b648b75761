/**
 * What the connection is doing. `offline`: not connected, and trying again by itself unless `disconnect` was asked for;
 * `syncing`: connected, fetching what was missed; `draining`: the server is about to go, the next connection follows;
 * `restricted`: the account has something to do first, `account.user` says what, and the connection follows by itself;
 * `stopped`: the server said not to come back like this (`connect` tries all the same).
 */
export type ClientState =
  | 'signed_out'
  | 'offline'
  | 'connecting'
  | 'syncing'
  | 'online'
  | 'draining'
  | 'restricted'
  | 'stopped';
