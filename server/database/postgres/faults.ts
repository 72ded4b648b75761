import pg from 'pg';
import { ParleyError } from '../../shared/errors.ts';

/**
 * What failed: the request, which would fail again, or the machine, the line or another's lock, after which the same
 * request may succeed. Codes are SQLSTATE (PostgreSQL, appendix A).
 */

/** 08 the connection; 40 rolled back for another's sake; 53 no room; 57 ended by its operator; 58 the system; XX inside. */
const MACHINE_CLASSES = /^(08|40|53|57|58|XX)/;
/** A lock that was not to be had; a server that only reads, as a standby does; a transaction that idled too long. */
const MACHINE_CODES = new Set(['55P03', '25006', '25P03']);
/** Deadlock and failed serialization: the whole transaction is worth another try, at once. */
const ROLLED_BACK = new Set(['40001', '40P01']);
/** The server says these and hangs up. */
const HUNG_UP = /^(08|57P0|25P0[34])/;

function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** Whether the connection is of no use any more, so that nobody can tell whether what was under way was committed. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return HUNG_UP.test(error.code ?? '');
  // Whatever else the client throws, it throws about its socket; but for a mistake in the program itself.
  return !(error instanceof TypeError || error instanceof RangeError || error instanceof ParleyError);
}

/** Whether the database, not the request, is to blame. */
export function isMachineFault(error: unknown): boolean {
  const code = sqlState(error);
  return code === undefined ? isConnectionLost(error) : MACHINE_CLASSES.test(code) || MACHINE_CODES.has(code);
}

/** What the machine could not do is `unavailable`, and may be tried again; anything else stays as it is. */
export function toUnavailable(error: unknown): unknown {
  return isMachineFault(error) ? new ParleyError('unavailable', undefined, { cause: error }) : error;
}

/** Whether a transaction was rolled back only because another was in its way. */
export function wasInTheWay(error: unknown): boolean {
  const cause = error instanceof ParleyError ? error.details.cause : error;
  return ROLLED_BACK.has(sqlState(cause) ?? '');
}
