import type { RequestHandler } from 'express';
import helmet from 'helmet';

type Sources = NonNullable<NonNullable<Parameters<typeof helmet.contentSecurityPolicy>[0]>['directives']>[string];

/**
 * Creates what forbids a page everything that it does not need: it may run and show files of its own host, and send
 * its forms home. What it needs beside that is named by `more`.
 */
export function createPageHeaders(more: Readonly<Record<string, Sources>> = {}): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'"],
        'connect-src': ["'none'"],
        'style-src': ["'self'"],
        'img-src': ["'self'"],
        'form-action': ["'self'"],
        'base-uri': ["'none'"],
        'frame-ancestors': ["'none'"],
        'require-trusted-types-for': ["'script'"],
        'trusted-types': ["'none'"],
        ...more,
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
