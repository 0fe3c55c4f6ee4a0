import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SseEvent, SseReader } from '../../../../services/loadtest/wire/sse-reader.ts';
import { renderEvent, renderRetry } from '../../../../services/relay/transport/sse/sse-stream.ts';

function read(text: string, lengths: readonly number[]): SseEvent[] {
  const seen: SseEvent[] = [];
  const reader = new SseReader();
  const bytes = Buffer.from(text);
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const end = Math.min(bytes.length, at + (lengths[i % lengths.length] ?? 1));
    reader.push(bytes.subarray(at, end), (event) => seen.push(event));
    at = end;
  }
  return seen;
}

const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });

describe('the SSE parser', () => {
  it('parses what a relay sends, in chunks of any size', () => {
    const event = fc.record({
      name: fc.constantFrom('update', 'ping'),
      data: fc.jsonValue().map((v) => JSON.stringify(v)),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 5 }), lengths, (events, cuts) => {
        const text = events.map(({ name, data }) => renderEvent(name, data, '1,2') + renderRetry(5)).join('');
        expect(read(text, cuts)).toEqual(events);
      }),
    );
  });

  it('joins data lines and names an event `message` by default', () => {
    expect(read(': hi\n\ndata: a\ndata: b\n\n', [3])).toEqual([{ name: 'message', data: 'a\nb' }]);
  });

  it('accepts any bytes', () => {
    const almost = fc.array(
      fc.oneof(fc.constantFrom('event: ', 'data: ', '\n', '\n\n'), fc.string({ unit: 'binary' })),
    );
    fc.assert(
      fc.property(almost, lengths, (parts, cuts) => {
        for (const event of read(parts.join(''), cuts)) expect(event.data).toBeTypeOf('string');
      }),
    );
  });

  it('rejects an endless event', () => {
    const reader = new SseReader();
    const part = Buffer.alloc(1024 * 1024, 'x');
    expect(() => {
      for (let i = 0; i < 20; i += 1) reader.push(part, () => {});
    }).toThrow(/too long/);
  });
});
