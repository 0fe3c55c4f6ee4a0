import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HttpError, HttpReader, type ResponseSink } from '../../../../services/loadtest/wire/http-reader.ts';

interface Response {
  status: number;
  headers: Record<string, string>;
  body: string;
  isWhole: boolean;
}

/** Parses bytes in chunks of the given lengths, in turn. */
function read(text: string, lengths: readonly number[] = [1000]): { responses: Response[]; reader: HttpReader } {
  const responses: Response[] = [];
  const sink: ResponseSink = {
    head: (status, headers) =>
      void responses.push({ status, headers: Object.fromEntries(headers), body: '', isWhole: false }),
    body(bytes) {
      const response = responses.at(-1);
      if (response) response.body += bytes.toString('latin1');
    },
    complete() {
      const response = responses.at(-1);
      if (response) response.isWhole = true;
    },
  };
  const reader = new HttpReader();
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const end = Math.min(bytes.length, at + (lengths[i % lengths.length] ?? 1));
    reader.push(Buffer.from(bytes.subarray(at, end)), sink);
    at = end;
  }
  return { responses, reader };
}

const LENGTH = 'HTTP/1.1 200 OK\r\nETag: "7"\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKS =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: x\r\n\r\n';
const NOTHING = 'HTTP/1.1 304 Not Modified\r\nETag: "7"\r\nContent-Length: 99\r\n\r\n';
const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

describe('the HTTP response parser', () => {
  it('parses consecutive responses, in chunks of any size', () => {
    const whole = { status: 200, body: 'hello', isWhole: true };
    const expected = {
      [LENGTH]: { ...whole, headers: { etag: '"7"', 'content-length': '5' } },
      [CHUNKS]: { ...whole, headers: { 'transfer-encoding': 'chunked' } },
      [NOTHING]: { status: 304, body: '', isWhole: true, headers: { etag: '"7"', 'content-length': '99' } },
      [EMPTY]: { status: 200, body: '', isWhole: true, headers: { 'content-length': '0' } },
    };
    const some = fc.array(fc.constantFrom(LENGTH, CHUNKS, NOTHING, EMPTY), { maxLength: 5 });
    fc.assert(
      fc.property(some, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (texts, lengths) => {
        expect(read(texts.join(''), lengths).responses).toEqual(texts.map((text) => expected[text]));
      }),
    );
  });

  it('leaves the bytes after an upgrade to the other protocol', () => {
    const { responses, reader } = read('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nHTTP/1.1');
    expect(responses.map(({ status }) => status)).toEqual([101]);
    expect(reader.upgradedBytes.toString()).toBe('HTTP/1.1');
  });

  it('reads to the end of the connection without a length', () => {
    expect(read('HTTP/1.0 200 OK\r\n\r\nab\r\n\r\ncd', [7]).responses).toMatchObject([
      { body: 'ab\r\n\r\ncd', isWhole: false },
    ]);
  });

  it.each([
    ['nonsense', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['another version', 'HTTP/2 200 OK\r\n\r\n'],
    ['an invalid length', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n'],
    ['an invalid chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
    ['an oversized chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}`],
    ['an endless chunk size', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1'.repeat(2000)}`],
    ['an endless trailer', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'x'.repeat(40_000)}`],
  ])('rejects %s', (_, text) => {
    expect(() => read(text)).toThrow(HttpError);
  });

  it('parses or rejects any bytes', () => {
    const words = fc.constantFrom(
      'HTTP/1.1 200 OK',
      '\r\n',
      '\r\n\r\n',
      'Content-Length: 3',
      'Transfer-Encoding: chunked',
      '1',
      '0',
    );
    const almost = fc.array(fc.oneof(words, fc.string({ maxLength: 5 }))).map((parts) => parts.join(''));
    fc.assert(
      fc.property(almost, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (text, lengths) => {
        try {
          read(text, lengths);
        } catch (error) {
          expect(error).toBeInstanceOf(HttpError);
        }
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 1000) },
    );
  });
});
