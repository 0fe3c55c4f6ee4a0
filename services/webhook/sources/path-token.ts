import type { IncomingMessage } from 'node:http';

const TOKEN = Symbol('what followed the name of a source in the path');

type HiddenRequest = IncomingMessage & { [TOKEN]?: string };

/**
 * Moves what follows the name of a source, as in `/hooks/<name>/<token>`, from the URL to `pathTokenOf`. Do this before anything
 * else sees the request: paths are logged and recorded, and a token must not be.
 */
export function hidePathToken(request: IncomingMessage): void {
  const [, path, token = '', rest = ''] = /^([^?#]*?\/hooks\/[^/?#]+)\/([^?#]*)(.*)$/i.exec(request.url ?? '') ?? [];
  if (path === undefined) return;
  request.url = path + rest;
  (request as HiddenRequest)[TOKEN] = token;
}

/** Returns what followed the name of the source in the path; undefined if nothing did. */
export function pathTokenOf(request: IncomingMessage): string | undefined {
  return (request as HiddenRequest)[TOKEN];
}
