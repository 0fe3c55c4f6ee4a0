import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { watchRoute } from '../../../services/stats/route-pattern.ts';

const sorry: ErrorRequestHandler = (_error, _request, response, _next) => void response.status(500).end();

/** How a handler of a route may end. */
const ENDINGS: Record<string, RequestHandler> = {
  'a response': (_request, response) => void response.end('ok'),
  'an error': () => {
    throw new Error('a mistake');
  },
  'next(error)': (_request, _response, next) => next(new Error('a mistake')),
  'a rejection': async () => {
    await Promise.resolve();
    throw new Error('a mistake');
  },
  'a call of next': (_request, _response, next) => next(),
};

/** Serves one request, and returns the name that it has at its end. */
async function nameOf(path: string, mount: (app: express.Express) => void): Promise<string | undefined> {
  const app = express();
  const name = new Promise<string | undefined>((resolve) => {
    app.use((request, response, next) => {
      const routeOf = watchRoute(request);
      response.once('close', () => resolve(routeOf()));
      next();
    });
  });
  mount(app);
  app.use(sorry);
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
  await response.text();
  const result = await name;
  server.close();
  return result;
}

describe.each(Object.keys(ENDINGS))('the pattern of a route that ends with %s', (ending) => {
  const handler = ENDINGS[ending] as RequestHandler;
  const items = () => express.Router().get('/items/:id', handler);

  it('includes the routers around it', async () => {
    const nested = express.Router().use('/inner', items());
    expect(await nameOf('/outer/inner/items/7', (app) => app.use('/outer', nested))).toBe('/outer/inner/items/:id');
    const handled = express.Router().use('/inner', items(), sorry);
    expect(await nameOf('/outer/inner/items/7', (app) => app.use('/outer', handled))).toBe('/outer/inner/items/:id');
    expect(await nameOf('/outer/items/7', (app) => app.use('/outer', express().use(items())))).toBe('/outer/items/:id');
  });

  it.each([
    ['/shops/:shop', '/shops/7', '/shops/:shop'],
    ['/shops/:shop', '/shops/shops', '/shops/:shop'],
    ['/shops/:shop', '/shops/s', '/shops/:shop'],
    ['/shops/:shop', '/sHOPS/a%20b%2Fc%61', '/shops/:shop'],
    ['/:a/:b', '/1/1', '/:a/:b'],
    ['/v:version/:shop', '/v2/2', '/v:version/:shop'],
  ])('has names instead of the values of parameters in %s', async (mount, path, pattern) => {
    for (const mergeParams of [false, true]) {
      const shop = express.Router({ mergeParams }).use('/users/:user', items());
      const name = await nameOf(`${path}/users/x7/items/7`, (app) => app.use(mount, shop));
      expect(name).toBe(`${pattern}/users/:user/items/:id`);
    }
  });

  it('has a name instead of all segments of a wildcard', async () => {
    const files = express.Router().get('/', handler);
    expect(await nameOf('/files/a/b/files', (app) => app.use('/files/*path', files))).toBe('/files/:path/');
  });

  it('is that of the definition for expressions and lists', async () => {
    expect(await nameOf('/a/7', (app) => app.get(/^\/a\/\d+$/, handler))).toBe('/^\\/a\\/\\d+$/');
    expect(await nameOf('/b', (app) => app.get(['/a', '/b'], handler))).toBe('/a | /b');
  });
});

it('a request that matches no route has no pattern', async () => {
  expect(await nameOf('/none', (app) => app.use('/other', express.Router()))).toBeUndefined();
});
