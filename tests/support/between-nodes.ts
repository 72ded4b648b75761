import type { TestServer } from './server.ts';

/** What the way from node to node may take, beside the time in which they answer. */
const BETWEEN_NODES_MS = 30;

/** Resolves when what one of several nodes published has come to the others: each was asked since, and a little more time passed. */
export async function passBetweenNodes({ nodes }: Pick<TestServer, 'nodes'>): Promise<void> {
  if (nodes.length < 2) return;
  // One that is down hears nothing.
  await Promise.allSettled(nodes.map(({ url }) => fetch(`${url}/api/v1/health/ready`)));
  await Bun.sleep(BETWEEN_NODES_MS);
}
