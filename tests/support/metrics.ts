import type { TestServer } from './server.ts';

/** One value out of /metrics, the sum of all nodes: `parley_connections{mode="plain"}`. */
export async function metric(server: TestServer, name: string): Promise<number> {
  const each = await Promise.all(server.nodes.map(({ url }) => metricOf(url, name)));
  return each.reduce((sum, one) => sum + one, 0);
}

async function metricOf(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
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
