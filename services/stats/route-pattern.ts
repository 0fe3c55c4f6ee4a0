import type { Request } from 'express';

/**
 * Watches the routing of a request by Express 4 or 5. Returns a function that returns the pattern of its last route with
 * those of the routers around it, such as `/shops/:shop/items/:id`; undefined if it has had none. Express itself forgets
 * the routers once a handler fails, and has only the values of their parameters, which callers choose.
 */
export function watchRoute(request: Request): () => string | undefined {
  const patterns = new Map([['', '']]);
  const replaced = new Map<string, string>();
  let { baseUrl = '', route } = request;
  let pattern: string | undefined;
  // Express itself sets `undefined` once nothing handles a request.
  const enter = (url = ''): void => {
    const outer = url.startsWith(baseUrl) ? baseUrl : '';
    if (!patterns.has(url)) {
      patterns.set(url, `${patterns.get(outer)}${withNames(url.slice(outer.length), request.params, replaced)}`);
    }
    baseUrl = url;
  };
  const match = (matched: typeof route): void => {
    route = matched;
    pattern = `${patterns.get(baseUrl)}${[matched.path].flat(Number.POSITIVE_INFINITY).join(' | ')}`;
  };
  const mountedAt = baseUrl;
  baseUrl = '';
  enter(mountedAt);
  Object.defineProperties(request, {
    baseUrl: { configurable: true, enumerable: true, get: () => baseUrl, set: enter },
    route: { configurable: true, enumerable: true, get: () => route, set: match },
  });
  return () => pattern;
}

type Params = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Replaces the values of parameters in the path of a router by their names, from the last to the first.
 *
 * @param replaced those of the routers around it, which may be among the parameters too
 */
function withNames(path: string, params: Params = {}, replaced: Map<string, string>): string {
  let rest = decode(path);
  let tail = '';
  for (const [name, value] of Object.entries(params).reverse()) {
    const text = value === undefined ? '' : [value].flat().join('/');
    const at = text === '' ? -1 : findLast(rest, text, replaced.get(name) === text);
    if (at < 0) continue;
    replaced.set(name, text);
    tail = `:${name}${rest.slice(at + text.length).toLowerCase()}${tail}`;
    rest = rest.slice(0, at);
  }
  return rest.toLowerCase() + tail; // most apps accept any case
}

/** Returns where the text occurs for the last time, as whole segments if it does or must; -1 if it does not occur. */
function findLast(path: string, text: string, wholeSegments: boolean): number {
  for (let at = path.lastIndexOf(text); at >= 0; at = at === 0 ? -1 : path.lastIndexOf(text, at - 1)) {
    if (path[at - 1] === '/' && (path[at + text.length] ?? '/') === '/') return at;
  }
  return wholeSegments ? -1 : path.lastIndexOf(text);
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
