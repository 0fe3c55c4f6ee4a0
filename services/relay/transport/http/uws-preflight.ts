import type { TemplatedApp } from 'uWebSockets.js';
import { type CorsHeaders, writeHeaders } from './uws-problem.ts';

const MAX_AGE_S = '7200';

/** Lets pages of allowed origins send our request headers and read our response headers (Fetch standard, "CORS protocol"). */
export function servePreflight(app: TemplatedApp, deps: { path: string; corsHeaders: CorsHeaders }): void {
  app.options(deps.path, (res, req) => {
    const cors = deps.corsHeaders(req.getHeader('origin'), req.getHeader('host'));
    res.writeStatus('204 No Content');
    writeHeaders(res, cors);
    if (cors['Access-Control-Allow-Origin'] !== undefined) {
      res.writeHeader('Access-Control-Allow-Methods', 'GET');
      res.writeHeader('Access-Control-Allow-Headers', 'authorization, if-none-match, last-event-id, prefer');
      res.writeHeader('Access-Control-Max-Age', MAX_AGE_S);
    }
    res.endWithoutBody();
  });
}
