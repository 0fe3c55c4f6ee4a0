import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { PublishError, Publisher, versionHeaders } from '../../../services/client/publisher.ts';
import { expectInTime, startStopwatch } from '../../support/elapsed.ts';
import { WEBHOOK_SECRET } from '../../support/signed-headers.ts';

describe('a publisher', () => {
  let server: Server;
  let url: string;
  const calls: IncomingHttpHeaders[] = [];
  /** The newest call. */
  let last: { method?: string | undefined; path?: string | undefined; text: string };
  let answers: [status: number, body: unknown][];
  let rawAnswer: { status: number; page: string; headers?: Record<string, string> } | undefined;

  beforeEach(async () => {
    calls.length = 0;
    answers = [];
    rawAnswer = undefined;
    server = createServer(async (request, response) => {
      const { method, url: path, headers } = request;
      calls.push(headers);
      last = { method, path, text: Buffer.concat(await request.toArray()).toString() };
      if (rawAnswer) return void response.writeHead(rawAnswer.status, rawAnswer.headers).end(rawAnswer.page);
      const [status, body] = answers.shift() ?? [200, { updates: [{ topic: 'chat', version: 7 }] }];
      if (status === 0) return void request.socket.destroy();
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook`;
  });
  afterEach(() => new Promise((resolve) => void server.close(resolve)));

  it('sends the update as JSON with its token, without waiting unless the caller does', async () => {
    const publisher = new Publisher({ url, token: 'x' });
    await publisher.publish('chat');
    expect(last).toEqual({ method: 'POST', path: '/webhook', text: '{"topics":["chat"]}' });
    expect(calls[0]).toMatchObject({ 'content-type': 'application/json', authorization: 'Bearer x' });
    expect(calls[0]?.['webhook-id']).toMatch(/^msg_[0-9a-f-]{36}$/);
    for (const name of ['traceparent', 'webhook-signature']) expect(calls[0]).not.toHaveProperty(name);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await publisher.publish(['a', 'b'], { data: null, spread: 0 }, { deliveredWithinMs: 0.5, traceparent });
    expect(last.text).toBe('{"topics":["a","b"],"data":null,"spread":0}');
    expect(last.path).toBe('/webhook?wait=delivered&timeout=1ms');
    expect(calls[1]).toMatchObject({ traceparent });
    expect(calls[1]?.['webhook-id']).not.toBe(calls[0]?.['webhook-id']);
  });

  it('signs each call with its secret, after Standard Webhooks', async () => {
    await new Publisher({ url, secret: WEBHOOK_SECRET }).publish('chat');
    expect(new Webhook(WEBHOOK_SECRET).verify(last.text, calls[0] as Record<string, string>)).toEqual({
      topics: ['chat'],
    });
    expect(calls[0]).not.toHaveProperty('authorization');
  });

  it('reads current versions beside the address of the webhook', async () => {
    const versions = [{ topic: 'a', version: 7 }];
    answers = [[200, { versions }]];
    const publisher = new Publisher({ url: url.replace('/webhook', '/push/webhook'), secret: WEBHOOK_SECRET });
    expect(await publisher.versions(['a', 'b'])).toEqual(versions);
    expect(last).toEqual({ method: 'GET', path: '/push/updates/current?topic=a&topic=b', text: '' });
  });

  it('rejects with status 202, without a retry, if an update is not delivered in time', async () => {
    answers = [[202, { code: 'delivery_timeout', updates: [] }]];
    const late = new Publisher({ url, token: 'x' }).publish('chat', {}, { deliveredWithinMs: 100 });
    await expect(late).rejects.toMatchObject({
      name: 'PublishError',
      message: 'not every relay has delivered in time',
      status: 202,
      code: 'delivery_timeout',
      detail: '',
    });
    expect(calls).toHaveLength(1);
  });

  it.each([408, 425, 429, 500, 502, 503, 504])('retries after status %i', async (status) => {
    answers = [[status, { code: 'later' }]];
    expect(await new Publisher({ url, token: 'x' }).publish('chat')).toEqual([{ topic: 'chat', version: 7 }]);
    expect(calls).toHaveLength(2);
  });

  it('says that the webhook cannot be reached, with the cause, and follows no redirect', async () => {
    rawAnswer = { status: 307, page: '', headers: { location: '/elsewhere' } };
    const failure = await new Publisher({ url, token: 'x', timeoutMs: 0 }).publish('chat').catch((error) => error);
    expect(failure).toMatchObject({ message: 'the webhook cannot be reached', status: 0, code: '', detail: '' });
    expect(failure.cause).toBeInstanceOf(Error);
    const redirected = new Publisher({ url, token: 'x', timeoutMs: 400 }).publish('chat');
    await expect(redirected).rejects.toMatchObject({ status: 0 });
    expect(last.path).toBe('/webhook');
  });

  it('retries under the same id while the webhook is unreachable, and reports each failure', async () => {
    answers = [
      [503, { code: 'broker_unavailable' }],
      [0, undefined],
      [502, 'no JSON of ours'],
    ];
    const failures: PublishError[] = [];
    const publisher = new Publisher({ url, secret: WEBHOOK_SECRET, retrying: (error) => failures.push(error) });
    expect(await publisher.publish('chat')).toEqual([{ topic: 'chat', version: 7 }]);
    expect(calls).toHaveLength(4);
    expect(failures.map(({ status }) => status)).toEqual([503, 0, 502]);
    expect(new Set(calls.map((headers) => headers['webhook-id'])).size).toBe(1);
  });

  it('rejects at once if a retry would not help, with the reason', async () => {
    const reason = { code: 'invalid_request', detail: 'topic must be a string' };
    answers = [[400, reason]];
    const refused = new Publisher({ url, secret: WEBHOOK_SECRET }).publish('chat');
    await expect(refused).rejects.toMatchObject({ name: 'PublishError', status: 400, ...reason });
    expect(calls).toHaveLength(1);
  });

  it.each([
    [404, 'the page of a proxy'],
    [401, '"no object"'],
    [200, '<html>a login page</html>'],
    [403, ''],
  ])('rejects at once with the status %i of an answer that is not of a webhook: %j', async (status, page) => {
    rawAnswer = { status, page };
    const refused = new Publisher({ url, secret: WEBHOOK_SECRET }).publish('chat');
    const expected = { name: 'PublishError', message: `the webhook answered ${status}`, status, code: '', detail: '' };
    await expect(refused).rejects.toMatchObject(expected);
    expect(calls).toHaveLength(1);
  });

  it.each(['/webhook/chat', '/webhook/', '/webhook?topic=chat'])('refuses %s, which loses the data', (path) => {
    const address = new URL(path, url).href;
    expect(() => new Publisher({ url: address, secret: WEBHOOK_SECRET })).toThrow('must not name a topic');
  });

  it('rejects after its timeout', async () => {
    answers = Array.from({ length: 100 }, () => [503, { code: 'broker_unavailable' }]);
    const stopwatch = startStopwatch();
    const late = new Publisher({ url, token: 'x', timeoutMs: 500 }).publish('chat');
    await expect(late).rejects.toBeInstanceOf(PublishError);
    expectInTime(stopwatch.stop(), 1500); // retries alone would go on for a minute
  });

  it.each([
    [0, [5000, 5000, 5000, 4800, 4000, 3000, 2000, 1000]],
    [1000, [6000, 6000, 6000, 5800, 5000, 4000, 3000, 2000, 1000]],
  ])(
    'repeats a call after growing delays until its timeout, and gives each 5 s, in addition to %d ms for receipts',
    async (deliveredWithinMs, expected) => {
      onTestFinished(() => {
        vi.restoreAllMocks();
        vi.unstubAllGlobals();
        vi.useRealTimers();
      });
      vi.useFakeTimers();
      vi.spyOn(Math, 'random').mockReturnValue(0.5);
      vi.stubGlobal('fetch', async () => new Response('', { status: 503 }));
      const limits = vi.spyOn(AbortSignal, 'timeout');
      const publisher = new Publisher({ url, token: 'x', timeoutMs: 5500 });
      const failure = publisher.publish('chat', {}, { deliveredWithinMs }).catch((error) => error);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await failure).toMatchObject({ status: 503 });
      expect(limits.mock.calls.flat()).toEqual(expected);
    },
  );

  it('returns the header that tells a page which versions it shows, or has written', () => {
    const versions = [
      { topic: 'chat', version: 7, previous: 5 },
      { topic: 'news', version: 6 },
    ];
    expect(versionHeaders(versions)).toEqual({ 'Heliograph-Version': 'chat=7;previous=5, news=6' });
  });

  it.each([{}, { secret: WEBHOOK_SECRET, token: 'x' }])('requires exactly one credential: %j', (credentials) => {
    expect(() => new Publisher({ url, ...credentials })).toThrow('a secret or a token');
  });
});
