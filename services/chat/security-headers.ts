import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import helmet from 'helmet';
import type { RelayUrl } from './relay-url.ts';

/**
 * Creates what forbids a page everything that it does not need: it may run its own script and that of the relay,
 * talk to the two of them, and send its form home.
 */
export function createSecurityHeaders(deps: { relayUrl: RelayUrl }): RequestHandler {
  const relay = (request: IncomingMessage) => new URL(deps.relayUrl(request)).origin;
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'", relay],
        'connect-src': ["'self'", relay, (request) => relay(request).replace(/^http/, 'ws')],
        'style-src': ["'self'"],
        'img-src': ["'self'"],
        'form-action': ["'self'"],
        'base-uri': ["'none'"],
        'frame-ancestors': ["'none'"],
        'require-trusted-types-for': ["'script'"],
        'trusted-types': ["'none'"],
      },
    },
    // With no-referrer a browser would hide where our own form comes from.
    referrerPolicy: { policy: 'same-origin' },
    // Whether there is TLS is the matter of whoever stands before this; on plain HTTP browsers complain of these.
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  });
}
