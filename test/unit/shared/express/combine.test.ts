import express, { type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { combine } from '../../../../services/shared/express/combine.ts';
import { createHttpServer } from '../../../../services/shared/http/http-server.ts';

/** Returns the text that an app with this middleware responds with, and the names of the middleware that ran. */
async function call(
  ...create: readonly ((ran: string[]) => RequestHandler)[]
): Promise<{ text: string; ran: string[] }> {
  const ran: string[] = [];
  const [first, ...others] = create.map((each) => each(ran));
  const app = express();
  if (first) app.use(combine(first, ...others));
  app.use((_request, response) => void response.send('the route'));
  const onError: express.ErrorRequestHandler = (error, _request, response, _next) => void response.send(error.message);
  app.use(onError);
  const server = createHttpServer({ handler: app, host: '127.0.0.1', port: 0 });
  const port = await server.start();
  try {
    return { text: await (await fetch(`http://127.0.0.1:${port}/`)).text(), ran };
  } finally {
    await server.stop();
  }
}

const passing =
  (name: string) =>
  (ran: string[]): RequestHandler =>
  (_request, _response, next) => {
    ran.push(name);
    next();
  };

describe('combined middleware', () => {
  it('runs in its order, before what follows', async () => {
    const { text, ran } = await call(passing('a'), passing('b'), passing('c'));
    expect({ text, ran }).toEqual({ text: 'the route', ran: ['a', 'b', 'c'] });
  });

  it('passes an error on, without running the rest', async () => {
    const failing = (): RequestHandler => (_request, _response, next) => next(new Error('given to next'));
    const throwing = (): RequestHandler => () => {
      throw new Error('thrown');
    };
    expect(await call(passing('a'), failing, passing('c'))).toEqual({ text: 'given to next', ran: ['a'] });
    expect(await call(passing('a'), throwing, passing('c'))).toEqual({ text: 'thrown', ran: ['a'] });
  });

  it('ends with the one that responds', async () => {
    const responding = (): RequestHandler => (_request, response) => void response.send('early');
    expect(await call(responding, passing('b'))).toEqual({ text: 'early', ran: [] });
  });
});
