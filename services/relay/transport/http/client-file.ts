import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { AppError } from '../../../shared/errors.ts';
import { etagOf, isNotModified } from '../../../shared/http/etag.ts';
import { type RootDescription, renderRoot } from '../../../shared/http/root-page.ts';
import { readPackageVersion } from '../../../shared/package-version.ts';
import { StartError } from '../../../shared/start-error.ts';
import type { HttpApp, HttpHandler, HttpRequest, HttpResponse } from '../../engine/engine.ts';
import { type CorsHeaders, endHead, omitBody, serveProblem, writeHeaders } from './http-response.ts';

/** A file of the client library that the relay serves. */
export interface ClientFile {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  /** Whether the content under this path never changes. */
  readonly immutable: boolean;
  /** The path under which this content never changes. */
  readonly location?: string;
  /** The path of the source map. */
  readonly sourceMap?: string;
}

const SCRIPT = 'text/javascript; charset=utf-8';
/** One year, the longest lifetime in use (RFC 9111). */
const IMMUTABLE = 'public, max-age=31536000, immutable';

/**
 * Reads the built client library: beside a built relay, or in `dist` for a relay that runs from source. Returns the file for
 * browsers under the path of the newest version, again under a path with its hash, its source map, and the npm package.
 * @throws {StartError} if the client is not built
 */
export function readClientFiles(): readonly ClientFile[] {
  const places = ['../../../client/client.js', '../../../../dist/client/client.js'].map(
    (path) => new URL(path, import.meta.url),
  );
  const found = places.find((place) => existsSync(place));
  if (!found) throw new StartError('the browser client is not built: run npm run build');
  const read = (name: string) => readFileSync(new URL(name, found));
  const body = read('client.js');
  const location = `/client-${createHash('sha256').update(body).digest('hex').slice(0, 12)}.js`;
  const sourceMap = '/client.js.map';
  return [
    { path: '/client.js', type: SCRIPT, body, immutable: false, location, sourceMap },
    { path: location, type: SCRIPT, body, immutable: true, sourceMap },
    { path: sourceMap, type: 'application/json', body: read('client.js.map'), immutable: false },
    { path: packagePath(), type: 'application/gzip', body: read('heliograph-client.tgz'), immutable: true },
  ];
}

function packagePath(): string {
  return `/heliograph-client-${readPackageVersion()}.tgz`;
}

/** Serves a file. Caches keep an immutable one for a year, and revalidate any other. */
export function serveFile(app: HttpApp, file: ClientFile, corsHeaders: CorsHeaders): void {
  const { body } = file;
  const etag = etagOf(body);
  const serve = (res: HttpResponse, req: HttpRequest, end: () => void): void => {
    const known = isNotModified(req.getHeader('if-none-match'), etag);
    const cors = corsHeaders(req.getHeader('origin'), req.getHeader('host'));
    res.writeStatus(known ? '304 Not Modified' : '200 OK');
    writeHeaders(res, cors);
    res.writeHeader('Cache-Control', file.immutable ? IMMUTABLE : 'no-cache');
    if (file.sourceMap) res.writeHeader('SourceMap', file.sourceMap);
    if (file.location) res.writeHeader('Content-Location', file.location);
    res.writeHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    res.writeHeader('ETag', etag);
    res.writeHeader('X-Content-Type-Options', 'nosniff');
    if (known) return void res.endWithoutBody();
    res.writeHeader('Content-Type', file.type);
    end();
  };
  app.get(file.path, (res, req) => serve(res, req, () => endInParts(res, body)));
  app.head(file.path, (res, req) => serve(res, req, () => endHead(res, body)));
  serveProblem(app, file.path, new AppError('method_not_allowed'), { Allow: 'GET, HEAD' });
}

/** Serves the root, which says what the relay is. */
export function serveRoot(app: HttpApp, description: RootDescription, corsHeaders: CorsHeaders): void {
  const serve: HttpHandler = (res, req) => {
    const { body, headers } = renderRoot(description, req.getHeader('accept'));
    const cors = corsHeaders(req.getHeader('origin'), req.getHeader('host'));
    const vary = [headers.Vary, cors.Vary].filter((name) => name !== undefined).join(', ');
    writeHeaders(res, { ...headers, ...cors, Vary: vary });
    res.end(body);
  };
  app.get('/', serve);
  app.head('/', (res, req) => serve(omitBody(res), req));
  serveProblem(app, '/', new AppError('method_not_allowed'), { Allow: 'GET, HEAD' });
}

/** Redirects from the npm package of any version to that of this relay. */
export function servePackageRedirect(app: HttpApp, corsHeaders: CorsHeaders): void {
  const path = '/heliograph-client.tgz';
  const location = packagePath();
  const serve: HttpHandler = (res, req) => {
    res.writeStatus('302 Found');
    writeHeaders(res, corsHeaders(req.getHeader('origin'), req.getHeader('host')));
    res.writeHeader('Location', location);
    res.writeHeader('Cache-Control', 'no-cache');
    res.writeHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    res.end();
  };
  app.get(path, serve);
  app.head(path, (res, req) => serve(omitBody(res), req));
  serveProblem(app, path, new AppError('method_not_allowed'), { Allow: 'GET, HEAD' });
}

/**
 * Writes only as much as the connection takes now, and the rest as it becomes writable: a client that sends requests but
 * reads nothing costs no memory. (uWebSockets.js closes a connection that sends the next request before the response ended.)
 */
function endInParts(res: HttpResponse, body: Buffer): void {
  const [, isDone] = res.tryEnd(body, body.byteLength);
  if (isDone) return;
  res.onAborted(() => {});
  res.onWritable((offset) => res.tryEnd(body.subarray(offset), body.byteLength)[0]);
}
