import type { TestServer } from './server.ts';

/** All that a node's /metrics says. */
export async function scrape(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

/** One value out of /metrics, the sum of all nodes: `parley_connections{mode="plain"}`. */
export async function metric(server: { nodes: readonly { url: string }[] }, name: string): Promise<number> {
  const each = await Promise.all(server.nodes.map(({ url }) => metricOf(url, name)));
  return each.reduce((sum, one) => sum + one, 0);
}

async function metricOf(url: string, name: string): Promise<number> {
  const text = await scrape(url);
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`there is no metric ${name}`);
  return Number(line.slice(name.length));
}

/** Sockets that the server has, in both modes. */
export async function connections(server: TestServer): Promise<number> {
  const [plain, v1] = await Promise.all([
    metric(server, 'parley_connections{mode="plain"}'),
    metric(server, 'parley_connections{mode="v1"}'),
  ]);
  return plain + v1;
}
