import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Subprocess } from 'bun';

/** The proxy before several nodes: nginx from the machine's package, with the configuration that compose.yaml uses. */

const TEMPLATE = join(import.meta.dir, '../../configs/nginx.conf.template');

export interface ProxyOptions {
  /** For its configuration and its own files; made where it is not there. */
  folder: string;
  /** An address and a port of this machine, or a port. */
  listen: string;
  /** `host:port` of each node. */
  nodes: string[];
}

/** Where nginx is; undefined where it is not installed. Debian's folder for it is not in everybody's PATH. */
export function findNginx(): string | undefined {
  return Bun.which('nginx', { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin` }) ?? undefined;
}

/** The command that runs the proxy in the foreground; with `-t` behind it, it only checks the configuration. */
export function proxyCommand(nginx: string, { folder, listen, nodes }: ProxyOptions): string[] {
  mkdirSync(folder, { recursive: true });
  const values: Record<string, string> = {
    PROXY_FOLDER: folder,
    PROXY_ACCESS_LOG: join(folder, 'access.log'),
    PROXY_LISTEN: listen,
    PROXY_NODES: nodes.map((node) => `server ${node} max_fails=0;`).join(' '),
  };
  const configuration = readFileSync(TEMPLATE, 'utf8').replace(
    /\$\{(PROXY_\w+)\}/g,
    (_, name: string) => values[name] ?? '',
  );
  const path = join(folder, 'nginx.conf');
  writeFileSync(path, configuration);
  // Its workers would become nobody, who may not write to a folder of ours.
  const user = process.getuid?.() === 0 ? ' user root;' : '';
  return [nginx, '-e', 'stderr', '-c', path, '-g', `daemon off;${user}`];
}

const START_MS = 10_000;

/** A running proxy. */
export class TestProxy {
  private constructor(private readonly process: Subprocess<'ignore', 'ignore', 'pipe'>) {}

  /** Resolves when it takes requests. Fails where nginx is not installed. */
  static async start(options: ProxyOptions): Promise<TestProxy> {
    const nginx = findNginx();
    if (!nginx) throw new Error('nginx is not installed');
    const child = Bun.spawn(proxyCommand(nginx, options), { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' });
    const address = /^\d+$/.test(options.listen) ? `127.0.0.1:${options.listen}` : options.listen;
    for (const deadline = Date.now() + START_MS; ; await Bun.sleep(20)) {
      if (child.exitCode !== null) throw new Error(`nginx ended: ${await new Response(child.stderr).text()}`);
      const answer = await fetch(`http://${address}/api/v1/health`).catch(() => undefined);
      if (answer?.ok) return new TestProxy(child);
      if (Date.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`the proxy did not answer in ${START_MS} ms`);
      }
    }
  }

  async stop(): Promise<void> {
    this.process.kill('SIGTERM');
    await this.process.exited;
  }
}
