import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { BodyReader } from '../../../../services/shared/http/read-body.ts';

function createRequest(headers: Record<string, string> = {}) {
  const stream = new PassThrough();
  return { stream, request: Object.assign(stream, { headers }) as unknown as IncomingMessage };
}

describe('a body reader', () => {
  it.each([1, 7, 5000])('returns the bytes of a body that arrives in chunks of %i', async (length) => {
    const body = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
    const { request, stream } = createRequest();
    const read = new BodyReader({ maxBytes: 5000 }).read(request);
    for (let i = 0; i < body.length; i += length) stream.write(body.subarray(i, i + length));
    stream.end();
    expect(await read).toEqual(body);
  });

  it('refuses a body as soon as it is too large, or announced to be', async () => {
    const reader = new BodyReader({ maxBytes: 10 });
    const [announced, sent] = [createRequest({ 'content-length': '11' }), createRequest()];
    await expect(reader.read(announced.request)).rejects.toMatchObject({ code: 'body_too_large' });
    const read = reader.read(sent.request);
    sent.stream.write(Buffer.alloc(11));
    await expect(read).rejects.toMatchObject({ code: 'body_too_large' });
  });

  it('gives up the oldest body when all together take too much memory, and reads the others', async () => {
    const reader = new BodyReader({ maxBytes: 4096, maxTotalBytes: 8192 });
    const requests = [createRequest(), createRequest(), createRequest()];
    const reads = requests.map(({ request }) => reader.read(request));
    const outcomes = Promise.allSettled(reads);
    for (const { stream } of requests) stream.write(Buffer.alloc(4096));
    for (const { stream } of requests) stream.end();
    expect(await outcomes).toMatchObject([
      { status: 'rejected', reason: { code: 'too_many_bodies', status: 503 } },
      { status: 'fulfilled' },
      { status: 'fulfilled' },
    ]);
    const { request, stream } = createRequest();
    const later = reader.read(request);
    stream.end(Buffer.alloc(4096));
    expect(await later).toHaveLength(4096);
  });

  it('does so also after bodies that were refused as too large, and that went on', async () => {
    const reader = new BodyReader({ maxBytes: 4096, maxTotalBytes: 8192 });
    for (let i = 0; i < 3; i += 1) {
      const { request, stream } = createRequest();
      const refused = reader.read(request);
      stream.write(Buffer.alloc(4096));
      stream.write(Buffer.alloc(1));
      await expect(refused).rejects.toMatchObject({ code: 'body_too_large' });
      const ended = once(stream, 'end');
      stream.resume().end();
      await ended;
    }
    const requests = [createRequest(), createRequest(), createRequest()];
    const outcomes = Promise.allSettled(requests.map(({ request }) => reader.read(request)));
    for (const { stream } of requests) stream.write(Buffer.alloc(4096));
    for (const { stream } of requests) stream.end();
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  });

  it('rejects with the error of a request that breaks off', async () => {
    const { request, stream } = createRequest();
    const read = new BodyReader({ maxBytes: 10 }).read(request);
    stream.destroy(new Error('aborted'));
    await expect(read).rejects.toThrow('aborted');
  });
});
