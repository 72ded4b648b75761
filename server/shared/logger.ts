import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config/config.ts';

export type { Logger };

/**
 * One logger for the program. What is logged is chosen field by field, never whole requests or frames: no token,
 * password or message can get into a line (ASVS 16.2.5).
 */
export function createLogger(config: Pick<Config['monitoring'], 'log_level' | 'log_format'>): Logger {
  const options = { level: config.log_level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime };
  const usePretty = config.log_format === 'pretty' || (config.log_format === 'auto' && process.stdout.isTTY);
  if (!usePretty) return pino(options, new GatheredLines());
  return pino(options, pretty({ colorize: true, translateTime: 'SYS:HH:MM:ss o', ignore: 'pid,hostname', sync: true }));
}

/**
 * Writes the lines of one turn of the event loop together: a call of the system costs more than a line does. Those of the
 * turn in which the process ends are written too.
 */
class GatheredLines {
  private readonly stdout = pino.destination({ fd: 1, sync: true });
  private lines = '';

  constructor() {
    process.on('exit', this.flush);
  }

  write(line: string): void {
    if (this.lines === '') setImmediate(this.flush);
    this.lines += line;
  }

  private readonly flush = (): void => {
    const { lines } = this;
    this.lines = '';
    if (lines !== '') this.stdout.write(lines);
  };
}
