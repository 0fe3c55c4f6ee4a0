import type { IncomingMessage } from 'node:http';

/** Returns the URL of a service as the requesting browser can reach it, without a slash at the end. */
export type ServiceUrl = (request: IncomingMessage) => string;

/**
 * Creates a `ServiceUrl`. If `url` is undefined, the service is expected at `port` of the host in the request's `Host`
 * header, so that a page opened from another machine finds it too.
 */
export function createServiceUrl(options: { url: string | undefined; port: number; tls?: boolean }): ServiceUrl {
  const { url, port, tls = false } = options;
  if (url !== undefined) return () => url;
  return (request) => `${tls ? 'https' : 'http'}://${hostName(request.headers.host)}:${port}`;
}

/** Returns the host name, or `localhost` if it is invalid: it is written into the page and into a header. */
function hostName(host = ''): string {
  const name = host.replace(/:\d{1,5}$/, '');
  const isName = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])$/.test(name);
  return isName && URL.canParse(`http://${name}`) ? name : 'localhost'; // 256.256.256.256 passes only the pattern
}
