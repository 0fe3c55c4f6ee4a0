/** Where the updates of this process are: in its memory, in Redis, or, with the reason, in a Redis that it cannot use yet. */
export type Store = 'memory' | 'redis' | { readonly unusable: string };

/** Renders the output of `npm start`: the addresses of all services, and a command that publishes. */
export function welcome(options: {
  ports: { webhook: number; relay: number; chat: number; admin: number };
  /** Undefined if the operator has set one, which is not printed. */
  token: string | undefined;
  topic: string;
  store: Store;
  /** Undefined if the operator has set one, which is not printed. */
  statsToken: string | undefined;
  /** Whether there are pages of call statistics. */
  hasStats: boolean;
}): string {
  const { ports, topic, store, hasStats } = options;
  const token = options.token ?? '<one of WEBHOOK_TOKENS>';
  return `
${describe(store)}

  chat     http://localhost:${ports.chat}/        open it in two windows
  relay    ws://localhost:${ports.relay}/ws?topic=${topic}
  webhook  http://localhost:${ports.webhook}/webhook
${hasStats ? pagesOf(ports.admin, options.statsToken) : `  stats    http://localhost:${ports.admin}/stats   call statistics, if STATS_TOKEN is set\n`}
Publish an update of the topic "${topic}":

  curl -X POST -H 'Authorization: Bearer ${token}' http://localhost:${ports.webhook}/webhook/${topic}

`;
}

function pagesOf(port: number, token: string | undefined): string {
  return `  stats    http://localhost:${port}/stats   call statistics; log in with ${token ?? 'STATS_TOKEN'}
           http://localhost:${port}/stats/developers   topics, a live stream, a form that publishes, examples
`;
}

function describe(store: Store): string {
  if (store === 'memory')
    return 'Heliograph is running, all in this process: updates are in memory, comments in chat.db.';
  if (store === 'redis') return 'Heliograph is running on Redis.';
  return `Heliograph has started, but cannot use Redis: ${store.unusable}.
It keeps trying. Until it succeeds, calls are answered 503, and clients learn that their relay is stale.`;
}
