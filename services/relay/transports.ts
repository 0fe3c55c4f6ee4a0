import type { Clock } from '../shared/process/clock.ts';
import type { Update } from '../shared/update/update.ts';
import type { Origins } from './access/origins.ts';
import { readClientFiles } from './client-file.ts';
import type { RelayConfig } from './config.ts';
import { JSON_DIALECT } from './transport/json-dialect.ts';
import { Sweep, type Sweepable } from './transport/sweep.ts';
import type { Accept, Admission, ConnectionReport, Transport, TransportName } from './transport/transport.ts';
import { UPDATE_CHECK_DIALECT } from './transport/update-check-dialect.ts';
import type { UwsApp } from './transport/uws-app.ts';
import { UwsEvents } from './transport/uws-events.ts';
import { serveFile } from './transport/uws-file.ts';
import { servePreflight } from './transport/uws-preflight.ts';
import { refuseOthers } from './transport/uws-problem.ts';
import { UwsTopics } from './transport/uws-topics.ts';
import { UwsWebsocket } from './transport/uws-websocket.ts';

/** How often a stream of Server-Sent Events shows a sign of life. */
const SSE_PING_MS = 15_000;

/** How one transport was told of an update, by the clock that never steps. */
export interface HandOver {
  readonly transport: TransportName;
  readonly clients: number;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

/** All ways for clients to reach this relay. */
export interface Transports extends Transport {
  /** The same as `publish`, and takes the time of each transport that has listeners. */
  publishTimed(update: Update, paced: boolean): HandOver[];
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
  const { server, config, origins, clock } = deps;
  const report: ConnectionReport = {
    ...deps.report,
    closed(transport, code) {
      if (transport === 'websocket' || transport === 'update_check') server.webSocketClosed();
      deps.report.closed(transport, code);
    },
  };
  const { app } = server;
  const corsHeaders = (origin: string, host: string) => origins.corsHeaders(origin, host);
  const shared = { app, accept: deps.accept, admission: deps.admission, report };
  const forSockets = {
    ...shared,
    maxTopics: config.limits.maxTopics,
    maxMessageBytes: config.maxMessageBytes,
    nowMs: () => clock.monotonicMs(),
  };
  const json = new UwsWebsocket({ ...forSockets, path: '/ws', dialect: JSON_DIALECT });
  const { defaultTopic } = config;
  const old = new UwsWebsocket({ ...forSockets, path: '/update_check', dialect: UPDATE_CHECK_DIALECT, defaultTopic });
  const forHttp = { ...shared, corsHeaders, clock };
  const events = new UwsEvents({ ...forHttp, maxTopics: config.limits.maxTopics });
  const topics = new UwsTopics({ ...forHttp, maxWaiting: config.maxLongPolls });
  for (const file of readClientFiles()) serveFile(app, { ...file, corsHeaders });
  for (const path of ['/events', '/topics/*']) {
    servePreflight(app, { path, corsHeaders });
    refuseOthers(app, path, 'method_not_allowed', { Allow: 'GET' });
  }

  const all: readonly (readonly [TransportName, Transport])[] = [
    ['websocket', json],
    ['update_check', old],
    ['sse', events],
    ['longpoll', topics],
  ];
  const sweepOf = (connections: ReadonlySet<Sweepable>, intervalMs: number) =>
    new Sweep({
      clock,
      connections,
      size: () => connections.size,
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
    publish: (update: Update, paced: boolean) =>
      all.reduce((listeners, [, transport]) => listeners + transport.publish(update, paced), 0),
    publishTimed(update, paced) {
      const handOvers: HandOver[] = [];
      let beganAtMs = clock.monotonicMs();
      for (const [name, transport] of all) {
        const clients = transport.publish(update, paced);
        if (clients === 0) continue;
        const endedAtMs = clock.monotonicMs();
        handOvers.push({ transport: name, clients, beganAtMs, endedAtMs });
        beganAtMs = endedAtMs;
      }
      return handOvers;
    },
    publishFreshness(fresh) {
      for (const [, transport] of all) transport.publishFreshness(fresh);
    },
    start() {
      for (const sweep of sweeps) sweep.start();
    },
    stop() {
      for (const sweep of sweeps) sweep.stop();
    },
  };
}
