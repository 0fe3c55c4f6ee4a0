import type { IncomingMessage } from 'node:http';

/** Finds out where the browser that asks reaches the relay: its address, without a slash at the end. */
export type RelayUrl = (request: IncomingMessage) => string;

/**
 * Creates that: what the operator has set, or else the relay's port on whatever host the page was asked for at,
 * so that a page opened from another machine finds its relay too.
 */
export function createRelayUrl(options: { url: string | undefined; port: number }): RelayUrl {
  const { url, port } = options;
  if (url !== undefined) return () => url;
  return (request) => `http://${hostName(request.headers.host)}:${port}`;
}

/** The name goes into the page and into a header: nothing but a name gets there. */
function hostName(host = ''): string {
  const name = host.replace(/:\d{1,5}$/, '');
  const isName = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])$/.test(name);
  return isName && URL.canParse(`http://${name}`) ? name : 'localhost'; // 256.256.256.256 is no name
}
