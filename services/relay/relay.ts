import type { Following } from '../shared/broker/broker.ts';
import type { Clock } from '../shared/process/clock.ts';
import type { MetricsRegistry } from '../shared/process/metrics-registry.ts';
import { ConnectionAdmission } from './access/admission.ts';
import { createAuthorization } from './access/authorization.ts';
import { createAddressReader } from './access/client-address.ts';
import { Origins } from './access/origins.ts';
import { readClientFile } from './client-file.ts';
import type { RelayConfig } from './config.ts';
import { drain } from './drain.ts';
import { Hub } from './hub/hub.ts';
import { createRelayMetrics } from './metrics.ts';
import { Sessions } from './session/sessions.ts';
import { JSON_DIALECT } from './transport/json-dialect.ts';
import { Sweep } from './transport/sweep.ts';
import type { Connection, Greeting } from './transport/transport.ts';
import { UPDATE_CHECK_DIALECT } from './transport/update-check-dialect.ts';
import { UwsApp } from './transport/uws-app.ts';
import { serveFile } from './transport/uws-file.ts';
import { UwsWebsocket } from './transport/uws-websocket.ts';

/** A node that holds clients. */
export interface Relay {
  readonly hub: Hub;
  /** Begins to follow the broker, which its owner starts, and listens; resolves with the port. */
  start(): Promise<number>;
  /** Says goodbye to all clients and stops. Idempotent. */
  stop(): Promise<void>;
}

/** Puts a relay together without starting it. `fresh` is called when it can vouch for what it says, each time anew. */
export function createRelay(deps: {
  config: RelayConfig;
  feed: Following;
  registry: MetricsRegistry;
  clock: Clock;
  fresh?: () => void;
}): Relay {
  const { config, feed, registry, clock } = deps;
  const nowMs = () => clock.nowMs();
  const metrics = createRelayMetrics({ registry, nowMs, topics: () => hub.topics });
  const transports: UwsWebsocket[] = [];
  const hub = new Hub({
    feed,
    clock,
    report: metrics.hub,
    repairIntervalMs: config.repairIntervalMs,
    floorSpreadMs: config.floorSpreadMs,
    fanout: {
      publish: (update, paced) => transports.reduce((sum, transport) => sum + transport.publish(update, paced), 0),
      publishFreshness(fresh) {
        for (const transport of transports) transport.publishFreshness(fresh);
        if (fresh) deps.fresh?.();
      },
      pace: (mark, windowMs) => sessions.pace(mark, windowMs),
    },
  });
  const sessions = new Sessions({
    hub,
    clock,
    limits: config.limits,
    authorization: createAuthorization({ config: config.subscribe, nowMs }),
    report: metrics.session,
  });
  const origins = new Origins(config.origins);
  const admission = new ConnectionAdmission({
    limits: config.admission,
    origins,
    readAddress: createAddressReader(config.trustedProxies),
    nowMs,
    refused: metrics.session.refused,
  });
  const accept = (connection: Connection, greeting: Greeting) => sessions.accept(connection, greeting);
  const server = new UwsApp(config.tls);
  const shared = {
    app: server.app,
    accept,
    admission,
    report: metrics.connection,
    maxTopics: config.limits.maxTopics,
    nowMs,
  };
  transports.push(
    new UwsWebsocket({ ...shared, path: '/ws', dialect: JSON_DIALECT }),
    new UwsWebsocket({
      ...shared,
      path: '/update_check',
      dialect: UPDATE_CHECK_DIALECT,
      defaultTopic: config.defaultTopic,
    }),
  );
  serveFile(server.app, {
    path: '/client.js',
    type: 'text/javascript; charset=utf-8',
    text: readClientFile(),
    corsHeaders: (origin, host) => origins.corsHeaders(origin, host),
  });
  const sweeps = transports.map(
    ({ connections }) =>
      new Sweep({
        clock,
        connections,
        size: () => connections.size,
        intervalMs: config.pingIntervalMs,
        stuckMs: config.stuckTimeoutMs,
        stuck: () => metrics.connection.stuck(),
      }),
  );
  let stopped: Promise<void> | undefined;

  async function stop(): Promise<void> {
    server.stopListening();
    await drain({ sessions, clock, windowMs: config.drainWindowMs });
    for (const sweep of sweeps) sweep.stop();
    hub.stop();
    server.close();
  }

  return {
    hub,
    async start() {
      const port = await server.listen(config.host, config.port);
      hub.start();
      for (const sweep of sweeps) sweep.start();
      return port;
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
