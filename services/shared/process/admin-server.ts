import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';
import type { HostRule } from '../http/allowed-hosts.ts';
import { createHttpServer, type HttpServer } from '../http/http-server.ts';
import { type RootDescription, type RootLink, renderRoot } from '../http/root-page.ts';
import { sendProblem } from '../http/send-problem.ts';
import type { Logger } from '../logger.ts';
import { TokenBucket } from '../token-bucket.ts';
import type { Health } from './health.ts';
import type { MetricsRegistry } from './metrics-registry.ts';

/** Serves one path of the admin port. A rejection is answered as `application/problem+json`. */
export type AdminHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/** The admin port of a process. */
export interface AdminServer extends HttpServer {
  /**
   * Serves `path` with `handler`, instead of the handler that was mounted there before. A path that ends in `/` includes
   * everything below it; any other path is matched exactly.
   *
   * @param text describes it in the list at the root; without it, it is not listed
   */
  mount(path: string, handler: AdminHandler, text?: string): void;
}

const TEXT = 'Health, metrics and statistics of this process, for operators. The public must not reach this port.';
const LINKS = {
  '/metrics': 'Metrics, in the format of Prometheus.',
  '/livez': 'Whether this process is alive.',
  '/readyz': 'Whether it is ready for clients, and what it waits for.',
};

/**
 * Creates the server of `/metrics`, `/livez` and `/readyz`, to which services mount more; its root lists them. Its port must
 * not be reachable by the public.
 *
 * @param deps.name name of the process
 */
export function createAdminServer(deps: {
  name: string;
  host: string;
  port: number;
  headerTimeoutMs?: number;
  isAllowedHost?: HostRule;
  registry: Pick<MetricsRegistry, 'metrics'>;
  health: Health;
  logger: Logger;
}): AdminServer {
  const { name, host, port, headerTimeoutMs, isAllowedHost, registry, health, logger } = deps;
  const links = new Map<string, RootLink>(Object.entries(LINKS).map(([href, text]) => [href, { href, text }]));
  const service = name === 'heliograph' ? 'admin port' : `${name}, admin port`;
  const root = () => ({ service, text: TEXT, links: [...links.values()] });
  const handlers = new Map<string, AdminHandler>([
    ['/', (request, response) => sendRoot(request, response, root())],
    ['/metrics', serveMetrics(() => registry.metrics())],
    ['/livez', (request, response) => sendJson(request, response, 200, { alive: true })],
    [
      '/readyz',
      (request, response) => {
        const readiness = health.readiness();
        sendJson(request, response, readiness.ready ? 200 : 503, readiness);
      },
    ],
  ]);

  function handlerOf(path: string): AdminHandler | undefined {
    const exact = handlers.get(path);
    if (exact) return exact;
    for (const [mounted, handler] of handlers) {
      if (mounted !== '/' && mounted.endsWith('/') && `${path}/`.startsWith(mounted)) return handler;
    }
    return undefined;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const handler = handlerOf(request.url?.split('?', 1)[0] ?? '');
    if (!handler) throw new AppError('not_found');
    await handler(request, response);
  }

  const server = createHttpServer({
    host,
    port,
    ...(headerTimeoutMs === undefined ? {} : { headerTimeoutMs }),
    ...(isAllowedHost && { isAllowedHost }),
    handler(request, response) {
      handle(request, response).catch((error: unknown) => {
        if (!(error instanceof AppError)) logger.error({ err: error }, 'admin request failed unexpectedly');
        sendProblem(response, error instanceof AppError ? error : new AppError('internal_error'));
      });
    },
  });
  return {
    ...server,
    mount(path, handler, text) {
      handlers.set(path, handler);
      const href = path.replace(/\/$/, '');
      if (text !== undefined) links.set(href, { href, text });
    },
  };
}

/** Renderings that scrapes may cause at once; in the long run, one a second. */
const METRICS_BURST = 10;

/**
 * Returns a handler that answers with the text that `renderNow` resolves with, in the exposition format of Prometheus.
 * Rendering is work for the whole process, and for all processes of a relay: scrapes share it while one is under way, and
 * get the last text if there are more than one a second.
 *
 * @param nowMs returns the time by the monotonic clock
 */
export function serveMetrics(
  renderNow: () => Promise<string>,
  nowMs: () => number = () => performance.now(),
): AdminHandler {
  const renderings = new TokenBucket({ perSecond: 1, burst: METRICS_BURST, nowMs });
  let last: Promise<string> | undefined;
  let underWay = false;
  const render = (): Promise<string> => {
    if (last && (underWay || renderings.isEmpty)) return last;
    renderings.take(1);
    underWay = true;
    const text = renderNow().finally(() => {
      underWay = false;
    });
    last = text;
    text.catch(() => {
      if (last === text) last = undefined;
    });
    return text;
  };
  return async (request, response) => {
    requireGet(request, response);
    send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await render());
  };
}

function requireGet(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  response.setHeader('Allow', 'GET, HEAD');
  throw new AppError('method_not_allowed');
}

function sendRoot(request: IncomingMessage, response: ServerResponse, description: RootDescription): void {
  requireGet(request, response);
  const { body, headers } = renderRoot(description, request.headers.accept ?? '');
  response.writeHead(200, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function sendJson(request: IncomingMessage, response: ServerResponse, status: number, value: unknown): void {
  requireGet(request, response);
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
