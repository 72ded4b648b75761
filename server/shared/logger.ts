import { type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { disarmed } from '../../protocol/text.ts';
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
  return pino(options, new PrettyLines());
}

/** As JSON writes a character that it need not escape. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Lines for people. What came from outside is shown, and cannot act on the terminal: the colours are the only controls. */
class PrettyLines {
  private readonly stdout = pino.destination({ fd: 1, sync: true });
  private readonly pretty = prettyFactory({
    colorize: true,
    translateTime: 'SYS:HH:MM:ss o',
    ignore: 'pid,hostname',
  });

  write(line: string): void {
    const tame = (key: string, value: unknown) => (typeof value === 'string' ? shownText(key, value) : value);
    this.stdout.write(this.pretty(JSON.parse(line, tame)));
  }
}

/** A stack has lines; anything else is one. */
function shownText(key: string, text: string): string {
  return disarmed(text, (one) => (one === '\n' && key === 'stack' ? one : escaped(one)));
}

/**
 * Writes the lines of one turn of the event loop together: a call of the system costs more than a line does. Those of the
 * turn in which the process ends are written too. Whoever reads them in a terminal as they are is safe as well.
 */
class GatheredLines {
  private readonly stdout = pino.destination({ fd: 1, sync: true });
  private lines = '';

  constructor() {
    process.on('exit', this.flush);
  }

  write(line: string): void {
    if (this.lines === '') setImmediate(this.flush);
    this.lines += disarmed(line.slice(0, -1), escaped);
    this.lines += '\n';
  }

  private readonly flush = (): void => {
    const { lines } = this;
    this.lines = '';
    if (lines !== '') this.stdout.write(lines);
  };
}
