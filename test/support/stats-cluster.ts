import { eventually } from './eventually.ts';
import { randomPrefix } from './random-prefix.ts';
import { type ServiceProcess, startService } from './service-process.ts';
import { WsClient } from './ws-client.ts';

export const STATS_TOKEN = 'a-token-of-the-statistics';

/** A chat, a webhook and relays, each in its own process, with a client at each relay. */
export interface StatsCluster {
  readonly chat: ServiceProcess;
  readonly webhook: ServiceProcess;
  readonly relays: readonly ServiceProcess[];
  /** Writes a comment, and resolves once every client is notified. */
  write(text: string): Promise<void>;
  /** Returns the JSON of a path on the webhook's admin port. */
  // biome-ignore lint/suspicious/noExplicitAny: tests access the fields that they expect
  json(path: string): Promise<any>;
  stop(): Promise<void>;
}

/** Starts the cluster on a Redis, with `env` in all of its processes. */
export async function startStatsCluster(options: {
  redisUrl: string;
  relays: number;
  env?: Readonly<Record<string, string>>;
}): Promise<StatsCluster> {
  const shared = { REDIS_URL: options.redisUrl, HELIOGRAPH_PREFIX: randomPrefix(), STATS_TOKEN, ...options.env };
  const started: ServiceProcess[] = [];
  const start = async (...of: Parameters<typeof startService>) => {
    const service = await startService(...of);
    started.push(service);
    return service;
  };
  const webhook = await start('webhook', { ...shared, WEBHOOK_TOKENS: 'a-token-of-the-tests' });
  const relays = await Promise.all(
    Array.from({ length: options.relays }, () => start('relay', { ...shared, REBALANCE: '0', DRAIN_WINDOW: '0ms' })),
  );
  const url = `http://127.0.0.1:${webhook.port}/webhook`;
  const chat = await start('chat', { ...shared, WEBHOOK_TOKEN: 'a-token-of-the-tests', WEBHOOK_URL: url });
  const clients = await Promise.all(
    relays.map(async ({ port }) => {
      const client = await WsClient.open(`ws://127.0.0.1:${port}/ws?topic=chat`);
      await eventually(() => {
        if (client.ofType('subscribed').length === 0) throw new Error('a client is not subscribed yet');
      });
      return client;
    }),
  );
  return {
    chat,
    webhook,
    relays,
    async write(text) {
      const received = clients.map((client) => client.ofType('update').length);
      const answer = await fetch(`http://127.0.0.1:${chat.port}/comments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'Ada', text }),
      });
      if (answer.status !== 201) throw new Error(`the chat answered ${answer.status}`);
      await eventually(() => {
        const pending = clients.filter((client, i) => client.ofType('update').length <= (received[i] ?? 0));
        if (pending.length > 0) throw new Error(`${pending.length} clients are not notified yet`);
      });
    },
    async json(path) {
      const headers = { authorization: `Bearer ${STATS_TOKEN}`, accept: 'application/json' };
      return (await fetch(`http://127.0.0.1:${webhook.adminPort}${path}`, { headers })).json();
    },
    async stop() {
      for (const client of clients) client.terminate();
      await Promise.all(started.map((service) => service.stop()));
    },
  };
}
