import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventReader, type StreamEvent } from '../../../../services/loadtest/wire/sse-reader.ts';
import { renderEvent, renderRetry } from '../../../../services/relay/transport/sse/uws-sse-stream.ts';

function read(text: string, lengths: readonly number[]): StreamEvent[] {
  const seen: StreamEvent[] = [];
  const reader = new EventReader();
  const bytes = Buffer.from(text);
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const end = Math.min(bytes.length, at + (lengths[i % lengths.length] ?? 1));
    reader.push(bytes.subarray(at, end), (event) => seen.push(event));
    at = end;
  }
  return seen;
}

const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });

describe('a reader of Server-Sent Events', () => {
  it('reads what a relay writes, however the bytes are cut', () => {
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

  it('reads data of several lines, and calls what has no name a message', () => {
    expect(read(': hi\n\ndata: a\ndata: b\n\n', [3])).toEqual([{ name: 'message', data: 'a\nb' }]);
  });

  it('survives any bytes', () => {
    const almost = fc.array(
      fc.oneof(fc.constantFrom('event: ', 'data: ', '\n', '\n\n'), fc.string({ unit: 'binary' })),
    );
    fc.assert(
      fc.property(almost, lengths, (parts, cuts) => {
        for (const event of read(parts.join(''), cuts)) expect(event.data).toBeTypeOf('string');
      }),
    );
  });

  it('gives up where an event does not end', () => {
    const reader = new EventReader();
    const part = Buffer.alloc(1024 * 1024, 'x');
    expect(() => {
      for (let i = 0; i < 20; i += 1) reader.push(part, () => {});
    }).toThrow(/too long/);
  });
});
