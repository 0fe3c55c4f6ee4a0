import type { Clock } from '../shared/clock.ts';
import { OPENAPI_PATH } from '../shared/contract/openapi.ts';
import { AppError } from '../shared/errors.ts';
import type { RootDescription } from '../shared/http/root-page.ts';
import type { TransportName } from '../shared/protocol/transport-name.ts';
import type { Origins } from './access/origins.ts';
import { ASYNCAPI_PATH, relayAsyncApi } from './asyncapi.ts';
import type { RelayConfig } from './config.ts';
import type { App } from './engine/engine.ts';
import { RELAY_OPENAPI_PATH, relayOpenApi } from './openapi.ts';
import { readClientFiles, serveFile, servePackageRedirect, serveRoot } from './transport/http/client-file.ts';
import { forHosts, servePreflight, serveProblem } from './transport/http/http-response.ts';
import { LongPollTransport } from './transport/long-poll/long-poll-transport.ts';
import { JSON_ENCODER, LEGACY_ENCODER } from './transport/message-encoder.ts';
import { SseTransport } from './transport/sse/sse-transport.ts';
import { Sweep, type Sweepable } from './transport/sweep.ts';
import type { Accept, Admission, ConnectionReport, Transport } from './transport/transport.ts';
import { WebsocketTransport } from './transport/websocket/websocket-transport.ts';

/** Interval of the pings of an SSE stream. */
const SSE_PING_MS = 15_000;

const ROOT: RootDescription = {
  service: 'relay',
  text: 'Browsers and other clients connect to it, and are notified of the updates of their topics.',
  links: [
    { href: '/ws', text: 'Subscribes by WebSocket.', isCall: true },
    { href: '/events?topic={topic}', text: 'Subscribes by server-sent events (EventSource).', isCall: true },
    {
      href: '/topics/{topic}',
      text: 'Returns the current version, or waits for the next one (long-poll).',
      isCall: true,
    },
    { href: '/client.js', text: 'The browser library, an ES module.' },
    { href: '/heliograph-client.tgz', text: 'The same as an npm package.' },
    { href: ASYNCAPI_PATH, text: 'WebSocket and server-sent events, in AsyncAPI 3.' },
    { href: OPENAPI_PATH, text: 'Long-poll, in OpenAPI 3.1.' },
  ],
};

/** Paths of the webhook: requests to them reach relays through a wrong address or a proxy without its routes. */
const WEBHOOK_PATHS = ['/webhook', '/webhook/*', '/hooks/*', '/updates/*', '/update_webhook.cgi'];

/** The transports of a relay. */
export interface Transports {
  readonly byName: ReadonlyMap<TransportName, Transport>;
  /** Begins to ping, and to close connections that are stuck. */
  start(): void;
  stop(): void;
}

/** Adds every transport, and the files of the browser client, to the public server. */
export function createTransports(deps: {
  app: App;
  config: RelayConfig;
  accept: Accept;
  admission: Admission;
  origins: Origins;
  report: ConnectionReport;
  clock: Clock;
}): Transports {
  const { app, config, accept, admission, origins, report, clock } = deps;
  const corsHeaders = (origin: string, host: string) => origins.corsHeaders(origin, host);
  const shared = { app, accept, admission, report };
  const forWebSockets = {
    ...shared,
    maxTopics: config.limits.maxTopics,
    maxMessageBytes: config.maxMessageBytes,
    nowMs: () => clock.monotonicMs(),
  };
  const websocket = new WebsocketTransport({ ...forWebSockets, path: '/ws', encoder: JSON_ENCODER });
  const { defaultTopic } = config;
  const legacy = new WebsocketTransport({
    ...forWebSockets,
    path: '/update_check',
    encoder: LEGACY_ENCODER,
    defaultTopic,
  });
  const forHttp = { ...shared, corsHeaders, clock };
  const sse = new SseTransport({ ...forHttp, maxTopics: config.limits.maxTopics });
  const longPoll = new LongPollTransport({ ...forHttp, maxWaiting: config.maxLongPolls });
  // Admission checks the host of everything else.
  const http = forHosts(app, config.isAllowedHost, (refusal) => report.refused(refusal));
  for (const file of readClientFiles()) serveFile(http, file, corsHeaders);
  servePackageRedirect(http, corsHeaders);
  const descriptions = [
    [OPENAPI_PATH, relayOpenApi()],
    [RELAY_OPENAPI_PATH, relayOpenApi()],
    [ASYNCAPI_PATH, relayAsyncApi()],
  ] as const;
  for (const [path, description] of descriptions) {
    const body = Buffer.from(JSON.stringify(description));
    serveFile(http, { path, type: 'application/json', body, immutable: false }, corsHeaders);
  }
  for (const path of ['/events', '/topics/*']) {
    servePreflight(http, { path, corsHeaders });
    serveProblem(http, path, new AppError('method_not_allowed'), { Allow: 'GET, HEAD' });
  }
  serveRoot(http, ROOT, corsHeaders);
  const servedByWebhooks = new AppError('not_found', 'Webhooks serve this path, at another port or host than relays');
  for (const path of WEBHOOK_PATHS) serveProblem(http, path, servedByWebhooks);
  serveProblem(http, '/*', new AppError('not_found'));

  const sweepOf = (connections: ReadonlySet<Sweepable>, intervalMs: number) =>
    new Sweep({
      clock,
      connections,
      intervalMs,
      stuckMs: config.stuckTimeoutMs,
      stuck: () => report.stuck(),
    });
  const sweeps = [
    sweepOf(websocket.connections, config.pingIntervalMs),
    sweepOf(legacy.connections, config.pingIntervalMs),
    sweepOf(sse.connections, SSE_PING_MS),
  ];
  return {
    byName: new Map<TransportName, Transport>([
      ['websocket', websocket],
      ['legacy', legacy],
      ['sse', sse],
      ['long-poll', longPoll],
    ]),
    start() {
      for (const sweep of sweeps) sweep.start();
    },
    stop() {
      for (const sweep of sweeps) sweep.stop();
    },
  };
}
