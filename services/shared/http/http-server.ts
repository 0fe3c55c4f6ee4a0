import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { AppError, type ErrorCode } from '../errors.ts';
import { listenError } from '../start-error.ts';
import type { HostRule } from './allowed-hosts.ts';
import { InFlight } from './in-flight.ts';
import { createRefuseMalformed } from './malformed-request.ts';
import { PendingResponses } from './pending-responses.ts';
import { sendProblem } from './send-problem.ts';

const DEFAULT_HEADER_TIMEOUT_MS = 10_000;
/** For the body of a request, once its headers are complete. */
const BODY_TIMEOUT_MS = 20_000;
/** Longer than the usual 60 s of proxies: the side that reuses a connection must be the one that closes it. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const TIMEOUT_CHECK_INTERVAL_MS = 1000;
/** Time that `stop` gives requests in progress. */
const DEFAULT_STOP_GRACE_MS = 3000;
/** Each costs about 10 KiB and a file descriptor. More are refused before the process runs out of either. */
const MAX_CONNECTIONS = 10_000;

/** An HTTP server that can be started once and stopped gracefully. */
export interface HttpServer {
  /**
   * Listens, and resolves with the port, which the system chooses if 0 was configured.
   *
   * @throws {StartError} if the port cannot be used
   */
  start(): Promise<number>;
  /** Ends each connection with its next response, so that clients reuse none of them when `stop` closes it. */
  prepareStop(): void;
  /**
   * Accepts no new connection, closes idle ones, and lets requests in progress finish until the grace period ends; then
   * closes all connections. Idempotent, and harmless before `start`.
   */
  stop(): Promise<void>;
}

/**
 * Creates a server for a request handler, such as an Express app, with limits against slow, silent and greedy clients.
 *
 * @param options.headerTimeoutMs time until the headers of a request are complete (10,000); 0 for no limit, also for the body
 * @param options.bodyTimeoutMs time until the body is complete, after the headers (20,000)
 * @param options.stopGraceMs time that `stop` gives requests in progress (3,000)
 * @param options.maxConnections limit of open connections (10,000)
 * @param options.isAllowedHost refuses requests to other hosts; by default all are served
 * @param options.refused called with the status and error code of each response to malformed input or another host, or with
 *   `dropped` for a connection above the limit
 */
export function createHttpServer(options: {
  handler: RequestListener;
  host: string;
  port: number;
  stopGraceMs?: number;
  headerTimeoutMs?: number;
  bodyTimeoutMs?: number;
  maxConnections?: number;
  isAllowedHost?: HostRule;
  refused?: (status: number | 'dropped', code?: ErrorCode) => void;
}): HttpServer {
  const { handler, host, port, stopGraceMs = DEFAULT_STOP_GRACE_MS } = options;
  const { headerTimeoutMs = DEFAULT_HEADER_TIMEOUT_MS, bodyTimeoutMs = BODY_TIMEOUT_MS } = options;
  const { maxConnections = MAX_CONNECTIONS, isAllowedHost, refused } = options;
  const inProgress = new InFlight<ServerResponse>();
  const pending = new PendingResponses();
  const refuseMalformed = createRefuseMalformed({ refused, oldestPending: (socket) => pending.oldest(socket) });
  const server = createServer({
    headersTimeout: headerTimeoutMs,
    requestTimeout: headerTimeoutMs === 0 ? 0 : headerTimeoutMs + bodyTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
  });
  server.maxConnections = maxConnections;
  let stopped: Promise<void> | undefined;
  let isStopping = false;

  server.on('drop', () => refused?.('dropped'));
  server.on('clientError', (error, socket) => refuseMalformed(error, socket as Socket));
  server.on('request', (request, response) => {
    if (!pending.add(request.socket, response)) return;
    inProgress.add(response);
    if (isStopping) response.shouldKeepAlive = false;
    response.once('close', () => inProgress.delete(response));
    if (isAllowedHost && !isAllowedHost(request.headers.host ?? '')) {
      const error = new AppError('host_forbidden');
      refused?.(error.status, error.code);
      response.shouldKeepAlive = false; // the body is not read
      sendProblem(response, error);
    } else handler(request, response);
  });

  function prepareStop(): void {
    isStopping = true;
    for (const response of inProgress) response.shouldKeepAlive = false;
  }

  function close(): Promise<void> {
    prepareStop();
    return new Promise((resolve) => {
      const cutOff = setTimeout(() => server.closeAllConnections(), stopGraceMs);
      server.close(() => {
        clearTimeout(cutOff);
        resolve();
      });
    });
  }

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', (error) => reject(listenError(error, { host, port })));
        server.listen({ host, port }, () => resolve((server.address() as AddressInfo).port));
      }),
    prepareStop,
    stop: () => {
      stopped ??= close();
      return stopped;
    },
  };
}
