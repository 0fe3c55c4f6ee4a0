import type { IncomingMessage } from 'node:http';

/** Returns the relay's URL as the requesting browser can reach it, without a slash at the end. */
export type RelayUrl = (request: IncomingMessage) => string;

/**
 * Creates a `RelayUrl`. If `url` is undefined, the relay is expected at `port` of the host in the request's `Host`
 * header, so that a page opened from another machine finds its relay too.
 */
export function createRelayUrl(options: { url: string | undefined; port: number }): RelayUrl {
  const { url, port } = options;
  if (url !== undefined) return () => url;
  return (request) => `http://${hostName(request.headers.host)}:${port}`;
}

/** Returns the host name, or `localhost` if it is invalid: it is written into the page and into a header. */
function hostName(host = ''): string {
  const name = host.replace(/:\d{1,5}$/, '');
  const isName = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])$/.test(name);
  return isName && URL.canParse(`http://${name}`) ? name : 'localhost'; // 256.256.256.256 passes only the pattern
}
