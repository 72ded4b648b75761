import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config.ts';

export type { Logger };

/**
 * One logger for the program. What is logged is chosen field by field, never whole requests or frames: no token,
 * password or message can get into a line (ASVS 16.2.5).
 */
export function createLogger(config: Config['monitoring']): Logger {
  const options = { level: config.log_level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime };
  const usePretty = config.log_format === 'pretty' || (config.log_format === 'auto' && process.stdout.isTTY);
  if (!usePretty) return pino(options, pino.destination({ fd: 1, sync: true }));
  return pino(options, pretty({ colorize: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname', sync: true }));
}
