import type { Clock } from '../shared/clock.ts';
import type { TransportName } from '../shared/protocol/transport-name.ts';
import type { Update } from '../shared/update/update.ts';
import type { Origins } from './access/origins.ts';
import type { RelayConfig } from './config.ts';
import { readClientFiles, serveFile } from './transport/http/uws-client-file.ts';
import { servePreflight, serveProblem } from './transport/http/uws-response.ts';
import { UwsLongPoll } from './transport/long-poll/uws-long-poll.ts';
import { JSON_ENCODER, LEGACY_ENCODER } from './transport/message-encoder.ts';
import { UwsSse } from './transport/sse/uws-sse.ts';
import { Sweep, type Sweepable } from './transport/sweep.ts';
import type { Accept, Admission, ConnectionReport, Transport } from './transport/transport.ts';
import type { UwsApp } from './transport/uws-app.ts';
import { UwsWebsocket } from './transport/websocket/uws-websocket.ts';

/** How often a stream of Server-Sent Events shows a sign of life. */
const SSE_PING_MS = 15_000;

/** How one transport was told of an update, by the clock that never steps. */
export interface TransportDelivery {
  readonly transport: TransportName;
  readonly clients: number;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

/** All ways for clients to reach this relay. */
export interface Transports extends Transport {
  /** The same as `publish`, and takes the time of each transport that has listeners. */
  deliverTimed(update: Update, paced: boolean): TransportDelivery[];
  start(): void;
  stop(): void;
}

/** Adds every transport, and the file of the browser client, to the public server. */
export function createTransports(deps: {
  server: UwsApp;
  config: RelayConfig;
  accept: Accept;
  admission: Admission;
  origins: Origins;
  report: ConnectionReport;
  clock: Clock;
}): Transports {
  const { server, config, origins, report, clock } = deps;
  const { app } = server;
  const corsHeaders = (origin: string, host: string) => origins.corsHeaders(origin, host);
  const shared = { app, accept: deps.accept, admission: deps.admission, report };
  const forSockets = {
    ...shared,
    maxTopics: config.limits.maxTopics,
    maxMessageBytes: config.maxMessageBytes,
    nowMs: () => clock.monotonicMs(),
    socketClosed: () => server.webSocketClosed(),
  };
  const json = new UwsWebsocket({ ...forSockets, path: '/ws', encoder: JSON_ENCODER });
  const { defaultTopic } = config;
  const old = new UwsWebsocket({ ...forSockets, path: '/update_check', encoder: LEGACY_ENCODER, defaultTopic });
  const forHttp = { ...shared, corsHeaders, clock };
  const events = new UwsSse({ ...forHttp, maxTopics: config.limits.maxTopics });
  const topics = new UwsLongPoll({ ...forHttp, maxWaiting: config.maxLongPolls });
  for (const file of readClientFiles()) serveFile(app, file, corsHeaders);
  for (const path of ['/events', '/topics/*']) {
    servePreflight(app, { path, corsHeaders });
    serveProblem(app, path, 'method_not_allowed', { Allow: 'GET' });
  }

  const all: readonly (readonly [TransportName, Transport])[] = [
    ['websocket', json],
    ['legacy', old],
    ['sse', events],
    ['long-poll', topics],
  ];
  const sweepOf = (connections: ReadonlySet<Sweepable>, intervalMs: number) =>
    new Sweep({
      clock,
      connections,
      intervalMs,
      stuckMs: config.stuckTimeoutMs,
      stuck: () => report.stuck(),
    });
  const sweeps = [
    sweepOf(json.connections, config.pingIntervalMs),
    sweepOf(old.connections, config.pingIntervalMs),
    sweepOf(events.connections, SSE_PING_MS),
  ];
  return {
    deliver: (update: Update, paced: boolean) =>
      all.reduce((listeners, [, transport]) => listeners + transport.deliver(update, paced), 0),
    deliverTimed(update, paced) {
      const handOvers: TransportDelivery[] = [];
      let beganAtMs = clock.monotonicMs();
      for (const [name, transport] of all) {
        const clients = transport.deliver(update, paced);
        if (clients === 0) continue;
        const endedAtMs = clock.monotonicMs();
        handOvers.push({ transport: name, clients, beganAtMs, endedAtMs });
        beganAtMs = endedAtMs;
      }
      return handOvers;
    },
    sendFreshness(fresh) {
      for (const [, transport] of all) transport.sendFreshness(fresh);
    },
    start() {
      for (const sweep of sweeps) sweep.start();
    },
    stop() {
      for (const sweep of sweeps) sweep.stop();
    },
  };
}
