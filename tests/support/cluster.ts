import { type Environment, type LogLine, TestNode, type TestServer } from './node.ts';
import { fixedPort } from './ports.ts';

export const CLUSTER_NODES = 3;

/**
 * Several nodes on one PostgreSQL and one Redis, as a proxy without stickiness shows them: whoever looks for the address
 * is sent to the next node, for each request and each socket.
 */
export class TestCluster implements TestServer {
  private turn = 0;

  constructor(readonly nodes: readonly TestNode[]) {}

  /** Nodes that differ in nothing but their ports. */
  static alike(dataDir: string, env: Environment, command: string[]): TestCluster {
    // In memory each would sign with a secret of its own.
    const secret: Environment = dataDir === ':memory:' ? { JWT_SECRET: crypto.randomUUID() } : {};
    const nodes = Array.from({ length: CLUSTER_NODES }, (_, index) => {
      return new TestNode(dataDir, { ...secret, ...env, ...portOf(index, env.SERVER_PORT) }, command);
    });
    return new TestCluster(nodes);
  }

  get dataDir(): string {
    return this.nodes[0]!.dataDir;
  }

  get url(): string {
    return this.next.url;
  }

  get socketUrl(): string {
    return this.next.socketUrl;
  }

  get databaseUrl(): string | undefined {
    return this.nodes[0]!.databaseUrl;
  }

  get lines(): LogLine[] {
    return this.nodes.flatMap(({ lines }) => lines);
  }

  get errors(): string {
    return this.nodes.map(({ errors }) => errors).join('');
  }

  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()));
  }

  async stop(signal?: 'SIGTERM' | 'SIGINT'): Promise<number> {
    return Math.max(...(await Promise.all(this.nodes.map((node) => node.stop(signal)))));
  }

  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  async memory(): Promise<number> {
    const each = await Promise.all(this.nodes.map((node) => node.memory()));
    return each.reduce((sum, one) => sum + one, 0);
  }

  /** The next of those that run, as a proxy finds it. */
  private get next(): TestNode {
    const running = this.nodes.filter(({ isRunning }) => isRunning);
    const candidates = running.length > 0 ? running : this.nodes;
    return candidates[this.turn++ % candidates.length]!;
  }
}

/** A port that was asked for goes to the first; the others keep theirs too when they come back. */
function portOf(index: number, asked: string | undefined): Environment {
  return index > 0 && Number(asked) > 0 ? { SERVER_PORT: String(fixedPort()) } : {};
}
