import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { listenError } from '../start-error.ts';
import { createRefuseMalformed } from './malformed-request.ts';

const DEFAULT_HEADER_TIMEOUT_MS = 10_000;
/** For the rest of a request, once its head is there. */
const BODY_TIMEOUT_MS = 20_000;
/** Longer than the 60 s of usual proxies: the side that reuses a connection must be the one that closes it. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const TIMEOUT_CHECK_INTERVAL_MS = 1000;
/** For how long `stop` lets requests under way finish. */
const DEFAULT_STOP_GRACE_MS = 3000;
/** Ten KiB and one file each; beyond that nobody else gets in, rather than the process running out of either. */
const MAX_CONNECTIONS = 10_000;
/** Requests of one connection that wait for their answers: clients and proxies ask one after another. */
const MAX_PIPELINED = 8;

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

/**
 * Creates a server for a handler (an Express app is one), with limits for slow, silent and greedy senders.
 * `refused` is told the status of each answer to what never became a request, and `dropped` for a connection too many.
 */
export function createHttpServer(options: {
  handler: RequestListener;
  host: string;
  port: number;
  stopGraceMs?: number;
  /** How long the head of a request may take; 0 for no limit, also of the whole request. */
  headerTimeoutMs?: number;
  /** And its body after that. */
  bodyTimeoutMs?: number;
  maxConnections?: number;
  refused?: (status: number | 'dropped') => void;
}): HttpServer {
  const { handler, host, port, stopGraceMs = DEFAULT_STOP_GRACE_MS } = options;
  const { headerTimeoutMs = DEFAULT_HEADER_TIMEOUT_MS, bodyTimeoutMs = BODY_TIMEOUT_MS } = options;
  const { maxConnections = MAX_CONNECTIONS, refused } = options;
  const underWay = new Set<ServerResponse>();
  /** What each connection waits for, the oldest first. */
  const answers = new WeakMap<Socket, Set<ServerResponse>>();
  const refuseMalformed = createRefuseMalformed({
    refused,
    answering: (socket) => [...(answers.get(socket) ?? [])][0],
  });
  const server = createServer({
    headersTimeout: headerTimeoutMs,
    requestTimeout: headerTimeoutMs === 0 ? 0 : headerTimeoutMs + bodyTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
  });
  server.maxConnections = maxConnections;
  let stopped: Promise<void> | undefined;

  server.on('drop', () => refused?.('dropped'));
  server.on('clientError', (error, socket) => refuseMalformed(error, socket as Socket));
  server.on('request', (request, response) => {
    const { socket } = request;
    const waiting = answers.get(socket) ?? new Set();
    if (waiting.size >= MAX_PIPELINED) return void socket.destroy();
    answers.set(socket, waiting.add(response));
    underWay.add(response);
    if (stopped) response.shouldKeepAlive = false;
    response.once('close', () => {
      underWay.delete(response);
      waiting.delete(response);
    });
    handler(request, response);
  });

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
