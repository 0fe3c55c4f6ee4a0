import type { TemplatedApp } from 'uWebSockets.js';
import { createHash } from 'node:crypto';

/** Serves one text to pages of any origin; a cache may keep it, but asks whether it is still the newest. */
export function serveFile(app: TemplatedApp, file: { path: string; type: string; text: string }): void {
  const etag = `"${createHash('sha256').update(file.text).digest('base64url').slice(0, 16)}"`;
  app.get(file.path, (res, req) => {
    const known = req.getHeader('if-none-match') === etag;
    res.writeStatus(known ? '304 Not Modified' : '200 OK');
    res.writeHeader('Access-Control-Allow-Origin', '*');
    res.writeHeader('Cache-Control', 'no-cache');
    res.writeHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    res.writeHeader('ETag', etag);
    res.writeHeader('X-Content-Type-Options', 'nosniff');
    if (known) return void res.endWithoutBody();
    res.writeHeader('Content-Type', file.type);
    res.end(file.text);
  });
}
