import type { RequestHandler } from 'express';
import helmet from 'helmet';

type Sources = NonNullable<NonNullable<Parameters<typeof helmet.contentSecurityPolicy>[0]>['directives']>[string];

/**
 * Creates middleware that sets the security headers of a page: it may load scripts, styles and images of its own origin
 * only, and send forms only there.
 *
 * @param more directives of the content security policy to add or replace
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
    // With no-referrer, browsers would send `Origin: null` with the forms of the page.
    referrerPolicy: { policy: 'same-origin' },
    // TLS is up to the proxy in front; on plain HTTP, browsers warn about these headers.
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  });
}
