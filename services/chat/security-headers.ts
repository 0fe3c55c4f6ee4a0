import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { createPageHeaders } from '../shared/express/page-headers.ts';
import type { RelayUrl } from './relay-url.ts';

/** Creates what forbids the page everything that it does not need: beside its own files, it needs the relay. */
export function createSecurityHeaders(deps: { relayUrl: RelayUrl }): RequestHandler {
  const relay = (request: IncomingMessage) => new URL(deps.relayUrl(request)).origin;
  return createPageHeaders({
    'script-src': ["'self'", relay],
    'connect-src': ["'self'", relay, (request: IncomingMessage) => relay(request).replace(/^http/, 'ws')],
  });
}
