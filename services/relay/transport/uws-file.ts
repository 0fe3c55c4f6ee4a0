import type { TemplatedApp } from 'uWebSockets.js';
import { createHash } from 'node:crypto';
import { type CorsHeaders, writeHeaders } from './uws-problem.ts';

/** Serves one text; a cache may keep it, but asks whether it is still the newest. */
export function serveFile(
  app: TemplatedApp,
  file: { path: string; type: string; text: string; corsHeaders: CorsHeaders },
): void {
  const etag = `"${createHash('sha256').update(file.text).digest('base64url').slice(0, 16)}"`;
  app.get(file.path, (res, req) => {
    const known = req.getHeader('if-none-match') === etag;
    const cors = file.corsHeaders(req.getHeader('origin'), req.getHeader('host'));
    res.writeStatus(known ? '304 Not Modified' : '200 OK');
    writeHeaders(res, cors);
    res.writeHeader('Cache-Control', 'no-cache');
    res.writeHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    res.writeHeader('ETag', etag);
    res.writeHeader('X-Content-Type-Options', 'nosniff');
    if (known) return void res.endWithoutBody();
    res.writeHeader('Content-Type', file.type);
    res.end(file.text);
  });
}
