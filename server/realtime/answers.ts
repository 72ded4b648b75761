import type { FrameOf, PlainError } from '../../protocol/events.ts';
import type { ParleyError } from '../shared/errors.ts';

/** Frames that answer one socket, ready to be written. */

/** What an `ack` tells, of a send or of a change. */
export type Ack = Omit<FrameOf<'ack'>, 'event'>;

export function ackFrame({ client_id, id, conversation_id, seq, rev, sent_at }: Ack): string {
  const frame: FrameOf<'ack'> = { event: 'ack', client_id, id, conversation_id, seq, rev, sent_at };
  return JSON.stringify(frame);
}

export function errorFrame(error: ParleyError, clientId?: string): string {
  const { code, message, retryable } = error;
  return JSON.stringify({
    event: 'error',
    error: true,
    code,
    message,
    retryable,
    client_id: clientId,
  } satisfies FrameOf<'error'>);
}

/** The error of plain mode, which has no events. */
export function plainErrorFrame({ code, message }: ParleyError): string {
  return JSON.stringify({ error: true, code, message } satisfies PlainError);
}
