import type { TestServer } from './server.ts';

/** A node writes its metrics at most once a second. A little longer after an answer it is sure to write them anew. */
const HOLDS_MS = 1050;

/** What is asked of one node. */
class Scrapes {
  private answered = 0;
  private asked: Promise<unknown> = Promise.resolve();
  private next: Promise<string> | undefined;

  constructor(private readonly url: string) {}

  /** Who comes before the next one is asked for shares it. */
  take(): Promise<string> {
    this.next ??= this.ask();
    return this.next;
  }

  private async ask(): Promise<string> {
    await this.asked;
    await Bun.sleep(Math.max(0, this.answered + HOLDS_MS - Date.now()));
    this.next = undefined;
    const text = fetch(`${this.url}/metrics`).then((response) => response.text());
    this.asked = text.then(
      () => {
        this.answered = Date.now();
      },
      () => {}, // told to who asked
    );
    return text;
  }
}

const scrapes = new Map<string, Scrapes>();

/** All that a node's /metrics says, as of a moment after the call. Nobody else may ask that node. */
export function scrape(url: string): Promise<string> {
  const ofNode = scrapes.get(url) ?? new Scrapes(url);
  scrapes.set(url, ofNode);
  return ofNode.take();
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
