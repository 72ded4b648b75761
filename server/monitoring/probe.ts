import { isIPv6 } from 'node:net';
import type { Config } from '../config/config.ts';

/** Below the time that a container's probe has (Dockerfile), above that of the server's own checks. */
const TIME_LIMIT_MS = 4000;
/** What a server listens on for every address of the machine, and where it is reached from the machine itself. */
const LOOPBACK: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Asks the server of this configuration, on this machine, whether it is ready. Never rejects: `text` says what is wrong. */
export async function probeReadiness({ host, port }: Pick<Config['server'], 'host' | 'port'>) {
  const name = LOOPBACK[host] ?? host;
  const url = `http://${isIPv6(name) ? `[${name}]` : name}:${port}/api/v1/health/ready`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIME_LIMIT_MS) });
    return { ready: response.ok, text: await response.text() };
  } catch (error) {
    return { ready: false, text: `no answer from ${url}: ${(error as Error).message}` };
  }
}
