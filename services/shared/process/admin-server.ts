import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';
import { createHttpServer, type HttpServer } from '../http/http-server.ts';
import { sendProblem } from '../http/send-problem.ts';
import type { Logger } from '../logger.ts';
import type { Health } from './health.ts';
import type { MetricsRegistry } from './metrics-registry.ts';

/**
 * Creates the server of `/metrics`, `/livez` and `/readyz`, which belongs on a port that the public cannot reach; and of
 * the pages at `/stats`, where there are some by the time that they are asked for.
 */
export function createAdminServer(deps: {
  host: string;
  port: number;
  headerTimeoutMs?: number;
  registry: Pick<MetricsRegistry, 'contentType' | 'metrics'>;
  health: Health;
  logger: Logger;
  pages?: () => RequestListener | undefined;
}): HttpServer {
  const { host, port, headerTimeoutMs, registry, health, logger, pages = () => undefined } = deps;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0];
    if (path !== '/metrics' && path !== '/livez' && path !== '/readyz') throw new AppError('not_found');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      throw new AppError('method_not_allowed');
    }
    if (path === '/metrics') return send(response, 200, registry.contentType, await registry.metrics());
    if (path === '/livez') return sendJson(response, 200, { alive: true });
    const readiness = health.readiness();
    sendJson(response, readiness.ready ? 200 : 503, readiness);
  }

  return createHttpServer({
    host,
    port,
    ...(headerTimeoutMs === undefined ? {} : { headerTimeoutMs }),
    handler: (request, response) => {
      const serve = /^\/stats(?:[/?]|$)/.test(request.url ?? '') ? pages() : undefined;
      if (serve) return serve(request, response);
      answer(request, response).catch((error: unknown) => {
        if (!(error instanceof AppError)) logger.error({ err: error }, 'the admin server failed to answer');
        sendProblem(response, error instanceof AppError ? error : new AppError('internal_error'));
      });
    },
  });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json', JSON.stringify(value));
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}
