import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { etagOf } from '../../../shared/http/etag.ts';
import { type CorsHeaders, endHead, refuseOthers, writeHeaders } from './uws-problem.ts';

/** A year: as long as a cache can be asked to keep something (RFC 9111). */
const FOR_EVER = 'public, max-age=31536000, immutable';

/** Serves one text. A cache may keep it: for ever where it is immutable, else it asks whether it is still the newest. */
export function serveFile(
  app: TemplatedApp,
  file: {
    path: string;
    type: string;
    text: string;
    immutable: boolean;
    /** Where the same text stays for ever. */
    location?: string;
    sourceMap?: string;
    corsHeaders: CorsHeaders;
  },
): void {
  const body = Buffer.from(file.text);
  const etag = etagOf(file.text);
  const serve = (res: HttpResponse, req: HttpRequest, end: () => void): void => {
    const known = req.getHeader('if-none-match') === etag;
    const cors = file.corsHeaders(req.getHeader('origin'), req.getHeader('host'));
    res.writeStatus(known ? '304 Not Modified' : '200 OK');
    writeHeaders(res, cors);
    res.writeHeader('Cache-Control', file.immutable ? FOR_EVER : 'no-cache');
    if (file.sourceMap) res.writeHeader('SourceMap', file.sourceMap);
    if (file.location) res.writeHeader('Content-Location', file.location);
    res.writeHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    res.writeHeader('ETag', etag);
    res.writeHeader('X-Content-Type-Options', 'nosniff');
    if (known) return void res.endWithoutBody();
    res.writeHeader('Content-Type', file.type);
    end();
  };
  app.get(file.path, (res, req) => serve(res, req, () => endAsTaken(res, body)));
  app.head(file.path, (res, req) => serve(res, req, () => endHead(res, body)));
  refuseOthers(app, file.path, 'method_not_allowed', { Allow: 'GET, HEAD' });
}

/**
 * Hands over only what the connection takes now, and the rest as it goes on taking: who asks and asks, and reads
 * nothing, makes the relay keep nothing. (uWebSockets.js ends a connection that asks again before it was answered.)
 */
function endAsTaken(res: HttpResponse, body: Buffer): void {
  const [, isDone] = res.tryEnd(body, body.byteLength);
  if (isDone) return;
  res.onAborted(() => {});
  res.onWritable((offset) => res.tryEnd(body.subarray(offset), body.byteLength)[0]);
}
