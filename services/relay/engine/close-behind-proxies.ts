import type { App, HttpRequest, HttpResponse } from './engine.ts';

/** Headers that proxies add to the requests that they pass on. */
const PROXY_HEADERS = ['x-forwarded-for', 'forwarded', 'via'];

/**
 * Adds `Connection: close` to responses that go through a proxy. uWebSockets.js closes idle connections after 11 s, without a
 * setting (its issue 1080), and some proxies answer 502 if they reuse a connection at that moment. A connection more costs this
 * process 20 microseconds for each response (measured with 304 from `/topics/`: 37 instead of 17).
 * @param closesAll if it returns true when a response begins, that one ends its connection, with or without a proxy
 */
export function closeBehindProxies(app: App, closesAll: () => boolean): void {
  const prepare = (res: HttpResponse, req: HttpRequest): void => {
    const isProxied = PROXY_HEADERS.some((name) => req.getHeader(name) !== '');
    const writeStatus = res.writeStatus.bind(res);
    res.writeStatus = (status) => {
      writeStatus(status);
      return isProxied || closesAll() ? res.writeHeader('Connection', 'close') : res;
    };
  };
  for (const method of ['get', 'head', 'options', 'any'] as const) {
    const add = app[method].bind(app);
    app[method] = (path, handler) =>
      add(path, (res, req) => {
        prepare(res, req);
        handler(res, req);
      });
  }
  const add = app.ws.bind(app);
  app.ws = (path, behavior) => {
    const { upgrade } = behavior;
    if (!upgrade) return add(path, behavior);
    return add(path, {
      ...behavior,
      upgrade(res, req, context) {
        prepare(res, req);
        upgrade(res, req, context);
      },
    });
  };
}
