import type { BlockList } from 'node:net';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { allowMethods } from '../../shared/express/allow-methods.ts';
import { readAssets } from '../../shared/express/assets.ts';
import { createDiscardRest } from '../../shared/express/discard-rest.ts';
import { doNotCache } from '../../shared/express/do-not-cache.ts';
import { createErrorHandler } from '../../shared/express/error-handler.ts';
import { createPageHeaders } from '../../shared/express/page-headers.ts';
import { assignRequestId } from '../../shared/express/request-id.ts';
import { createClientAddressReader } from '../../shared/http/client-address.ts';
import { BodyReader, requireMediaType } from '../../shared/http/read-body.ts';
import { requireSameOrigin } from '../../shared/http/same-origin.ts';
import { createUntrustedProxyLog } from '../../shared/http/untrusted-proxy-log.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ServiceAddresses } from '../process-stats.ts';
import type { StatsStore } from '../store/stats-store.ts';
import { parseSorts, readDashboard } from '../view/dashboard.ts';
import { parseFilter } from '../view/filters.ts';
import { createTimeline } from '../view/timeline.ts';
import { Access } from './access.ts';
import { renderDashboard } from './dashboard-page.ts';
import { addDevelopersRoutes } from './developers-routes.ts';
import { renderNotice } from './layout.ts';
import { renderLoginPage } from './login-page.ts';
import { renderTracePage } from './trace-page.ts';

const MAX_LOGIN_BYTES = 4096;
/** Of the form that publishes, after a login: 64 KiB of data fit, however they are encoded. */
const MAX_UPDATE_BYTES = 256 * 1024;
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Media types of the static files, by path below `/stats`. */
const ASSET_TYPES = {
  '/stats.css': 'text/css',
  '/stats.js': 'text/javascript',
  '/developers.js': 'text/javascript',
  '/icon.svg': 'image/svg+xml',
};

/** Folders of the static files: beside the built code, and in `dist` for code that runs from source. */
const ASSET_FOLDERS = [new URL('../public/', import.meta.url), new URL('../../../dist/stats/public/', import.meta.url)];

/** Creates the Express app of the pages, at `/stats` and below. */
export function createStatsApp(deps: {
  token: string;
  trustedProxies: BlockList;
  relayUrl: string | undefined;
  addresses: () => ServiceAddresses;
  store: StatsStore;
  clock: Clock;
  logger: Logger;
}): Express {
  const { token, trustedProxies, store, clock, logger } = deps;
  const sessions = {
    endSession: (id: string, leftMs: number) => store.endSession(id, leftMs).catch(storeUnavailable),
    hasSessionEnded: (id: string) => store.hasSessionEnded(id).catch(storeUnavailable),
  };
  const readAddress = createClientAddressReader(trustedProxies, createUntrustedProxyLog({ logger, clock }));
  const access = new Access({ token, sessions, readAddress, nowMs: () => clock.nowMs() });
  const logins = new BodyReader({ maxBytes: MAX_LOGIN_BYTES });
  const updates = new BodyReader({ maxBytes: MAX_UPDATE_BYTES });
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple');
  app.use(assignRequestId, createDiscardRest(), doNotCache, createPageHeaders({ 'connect-src': ["'self'"] }));

  for (const { path, handler } of readAssets(ASSET_TYPES, ASSET_FOLDERS)) {
    app.all(`/stats${path}`, allowMethods('GET', 'HEAD'), handler);
  }

  app.all('/stats/login', allowMethods('GET', 'HEAD', 'POST'), async (request, response) => {
    if (request.method !== 'POST') {
      response.type('html').send(renderLoginPage({ next: safePath(request.query.next), error: '' }));
      return;
    }
    requireSameOrigin(request.headers);
    const form = await readForm(request, logins);
    const next = safePath(form.get('next'));
    if (await access.isToken(request, form.get('token') ?? '')) {
      response.setHeader('Set-Cookie', access.createSession(request));
      response.redirect(303, next);
      return;
    }
    response.status(401).setHeader('WWW-Authenticate', 'Bearer realm="heliograph"');
    response.type('html').send(renderLoginPage({ next, error: 'Wrong token.' }));
  });
  app.all('/stats/logout', allowMethods('POST'), async (request, response) => {
    requireSameOrigin(request.headers);
    response.setHeader('Set-Cookie', await access.endSession(request));
    response.redirect(303, '/stats');
  });

  const requireAccess: RequestHandler = async (request, response, next) => {
    if (await access.isAllowed(request)) return next();
    if (!wantsPage(request)) throw new AppError('unauthorized');
    response.redirect(303, `/stats/login?next=${encodeURIComponent(safePath(request.originalUrl))}`);
  };
  app.all('/stats', allowMethods('GET', 'HEAD'), requireAccess, async (request, response) => {
    const [filter, sorts] = [parseFilter(request.query), parseSorts(request.query)];
    const dashboard = await readDashboard(store, filter, sorts).catch(storeUnavailable);
    if (!wantsPage(request)) return void response.json(dashboard);
    const refreshes = request.query.refresh === '1';
    const url = new URL(request.originalUrl, 'http://localhost');
    response.type('html').send(renderDashboard(dashboard, { nowMs: clock.nowMs(), url, refreshes }));
  });
  app.all('/stats/traces/:id', allowMethods('GET', 'HEAD'), requireAccess, async (request, response) => {
    const { id = '' } = request.params as { id?: string };
    if (!/^[0-9a-f]{32}$/.test(id)) throw new AppError('not_found');
    const [trace, processes] = await Promise.all([store.trace(id), store.processes()]).catch(storeUnavailable);
    const timeline = createTimeline(trace, processes);
    if (!timeline) throw new AppError('not_found', 'This trace does not exist, or is no longer stored');
    if (!wantsPage(request)) return void response.json(timeline);
    response.type('html').send(renderTracePage(timeline));
  });
  const developers = { readForm: (request: Request) => readForm(request, updates), wantsPage, storeUnavailable };
  addDevelopersRoutes(app, { ...deps, ...developers, requireAccess });
  app.use(() => {
    throw new AppError('not_found');
  });
  app.use((error: unknown, request: Request, response: Response, next: (error: unknown) => void) => {
    if (!(error instanceof AppError) || !wantsPage(request)) return next(error);
    response
      .status(error.status)
      .type('html')
      .send(renderNotice({ title: String(error.status), text: error.message }));
  });
  app.use(createErrorHandler({ logger }));
  return app;
}

/** Browsers prefer HTML; a client that accepts anything gets JSON. */
function wantsPage(request: Request): boolean {
  return request.query.format !== 'json' && request.accepts(['json', 'html']) === 'html';
}

async function readForm(request: Request, bodies: BodyReader): Promise<URLSearchParams> {
  requireMediaType(request.headers, [FORM_TYPE]);
  return new URLSearchParams((await bodies.read(request)).toString());
}

/** Returns a path of these pages, or `/stats` for anything else: a login must not redirect to other sites. */
function safePath(path: unknown): string {
  return typeof path === 'string' && /^\/stats(?:[/?][\x21-\x7e]*)?$/.test(path) && path.length <= 2000
    ? path
    : '/stats';
}

function storeUnavailable(cause: unknown): never {
  throw new AppError('broker_unavailable', 'The store of the statistics cannot be reached', { cause });
}
