import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listenError } from './start-error.ts';

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the 60 s of usual proxies: the side that reuses a connection must be the one that closes it. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const TIMEOUT_CHECK_INTERVAL_MS = 1000;
/** For how long `stop` lets requests under way finish. */
const DEFAULT_STOP_GRACE_MS = 3000;

/** A server that can be started once and stopped gracefully. */
export interface HttpServer {
  /** Listens. Resolves with the port, also where 0 was asked for; rejects with a `StartError`. */
  start(): Promise<number>;
  /**
   * Takes no new connection, closes idle ones, and lets requests under way finish; what is still open
   * after the grace is cut off. Idempotent, and harmless before `start`.
   */
  stop(): Promise<void>;
}

/** Creates a server for a handler (an Express app is one), with time limits for slow or silent senders. */
export function createHttpServer(options: {
  handler: RequestListener;
  host: string;
  port: number;
  stopGraceMs?: number;
}): HttpServer {
  const { handler, host, port, stopGraceMs = DEFAULT_STOP_GRACE_MS } = options;
  const underWay = new Set<ServerResponse>();
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
  });
  let stopped: Promise<void> | undefined;

  server.on('request', (_request, response) => {
    underWay.add(response);
    if (stopped) response.shouldKeepAlive = false;
    response.once('close', () => underWay.delete(response));
  });
  server.on('request', handler);

  function close(): Promise<void> {
    return new Promise((resolve) => {
      const cutOff = setTimeout(() => server.closeAllConnections(), stopGraceMs);
      server.close(() => {
        clearTimeout(cutOff);
        resolve();
      });
      for (const response of underWay) response.shouldKeepAlive = false;
    });
  }

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', (error) => reject(listenError(error, { host, port })));
        server.listen({ host, port }, () => resolve((server.address() as AddressInfo).port));
      }),
    stop: () => {
      stopped ??= close();
      return stopped;
    },
  };
}
