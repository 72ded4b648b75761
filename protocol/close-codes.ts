/** What a client does after a close: come back, come back without the item that caused it, or stay away. */
export type AfterClose = 'reconnect' | 'fail_item_then_reconnect' | 'stop';

/** The WebSocket close codes that Parley uses (RFC 6455 §7.4; 4000–4999 are an application's own). */
export const CLOSE_CODES = {
  1000: { name: 'normal', after: 'reconnect' },
  1001: { name: 'going_away', after: 'reconnect' },
  1006: { name: 'connection_lost', after: 'reconnect' },
  1009: { name: 'frame_too_large', after: 'fail_item_then_reconnect' },
  1012: { name: 'restarting', after: 'reconnect' },
  4400: { name: 'protocol_abuse', after: 'stop' },
  4401: { name: 'session_over', after: 'stop' },
  4429: { name: 'too_much', after: 'stop' },
} as const satisfies Record<number, { name: string; after: AfterClose }>;

export type CloseCode = keyof typeof CLOSE_CODES;

export const CLOSE = {
  RESTARTING: 1012,
  PROTOCOL_ABUSE: 4400,
  SESSION_OVER: 4401,
  TOO_MUCH: 4429,
} as const satisfies Record<string, CloseCode>;
