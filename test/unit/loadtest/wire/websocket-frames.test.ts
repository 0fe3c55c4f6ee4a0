import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clientFrame,
  closeFrame,
  FrameError,
  FrameReader,
  type FrameSink,
  pongFrame,
} from '../../../../services/loadtest/wire/websocket-frames.ts';

type Seen = ['text' | 'ping', string] | ['closed', number, string];

/** Records what it receives. */
function createSink(): FrameSink & { seen: Seen[] } {
  const seen: Seen[] = [];
  return {
    seen,
    text: (payload) => void seen.push(['text', payload.toString()]),
    ping: (payload) => void seen.push(['ping', payload.toString()]),
    closed: (code, reason) => void seen.push(['closed', code, reason]),
  };
}

/** Builds a server frame. */
function frame(opcode: number, payload: string | Buffer, isLast = true): Buffer {
  const bytes = Buffer.from(payload);
  const first = (isLast ? 0x80 : 0) | opcode;
  if (bytes.length < 126) return Buffer.concat([Buffer.from([first, bytes.length]), bytes]);
  if (bytes.length < 65_536) {
    return Buffer.concat([Buffer.from([first, 126, bytes.length >> 8, bytes.length & 255]), bytes]);
  }
  const head = Buffer.alloc(10);
  head.writeUInt16BE((first << 8) | 127);
  head.writeBigUInt64BE(BigInt(bytes.length), 2);
  return Buffer.concat([head, bytes]);
}

/** Parses bytes in chunks of the given lengths, in turn, reusing the buffer. */
function read(bytes: Buffer, lengths: readonly number[]): Seen[] {
  const sink = createSink();
  const reader = new FrameReader();
  const shared = Buffer.alloc(bytes.length + 1);
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const end = Math.min(bytes.length, at + (lengths[i % lengths.length] ?? 1));
    bytes.copy(shared, 0, at, end);
    reader.push(shared.subarray(0, end - at), sink);
    at = end;
  }
  return sink.seen;
}

describe('the WebSocket frame parser', () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 10 });

  it('returns the same for chunks of any size', () => {
    const part = fc.tuple(fc.constantFrom(1, 2, 9, 10), fc.string({ maxLength: 400 }));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), pieces, (frames, lengths) => {
        const short = frames.map(([opcode, text]) => [opcode, opcode > 8 ? text.slice(0, 20) : text] as const);
        const bytes = Buffer.concat(short.map(([opcode, text]) => frame(opcode, text)));
        const expected = short.flatMap(([opcode, text]) =>
          opcode === 1 ? [['text', text]] : opcode === 9 ? [['ping', text]] : [],
        );
        expect(read(bytes, lengths)).toEqual(expected);
      }),
    );
  });

  it('joins a fragmented message, also with a ping in between', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 2, maxLength: 5 }), pieces, (texts, lengths) => {
        const frames = texts.map((text, i) => frame(i === 0 ? 1 : 0, text, i === texts.length - 1));
        const bytes = Buffer.concat([...frames.slice(0, 1), frame(9, 'p'), ...frames.slice(1), frame(1, 'next')]);
        expect(read(bytes, lengths)).toEqual([
          ['ping', 'p'],
          ['text', texts.join('')],
          ['text', 'next'],
        ]);
      }),
    );
  });

  it.each([125, 126, 65_535, 65_536, 200_000])('reads a payload of %i bytes', (length) => {
    expect(read(frame(1, 'x'.repeat(length)), [1460])).toEqual([['text', 'x'.repeat(length)]]);
  });

  it('ignores binary messages, also fragmented ones', () => {
    expect(read(Buffer.concat([frame(2, 'a', false), frame(0, 'b'), frame(1, 'c')]), [100])).toEqual([['text', 'c']]);
  });

  it('returns code and reason of a close frame', () => {
    expect(read(frame(8, Buffer.concat([Buffer.from([0x03, 0xf4]), Buffer.from('2500')])), [2])).toEqual([
      ['closed', 1012, '2500'],
    ]);
    expect(read(frame(8, ''), [9])).toEqual([['closed', 1005, '']]);
  });

  it.each<[string, Buffer]>([
    ['reserved bits', Buffer.from([0xc1, 0])],
    ['a masked frame', Buffer.from([0x81, 0x80, 0, 0, 0, 0])],
    ['an unknown opcode', Buffer.from([0x83, 0])],
    ['a fragmented control frame', Buffer.from([0x09, 0])],
    ['a control frame that is too long', frame(9, 'x'.repeat(126))],
    ['a continuation without a message', frame(0, 'x')],
    ['a message within another one', Buffer.concat([frame(1, 'a', false), frame(1, 'b')])],
    ['a frame of gigabytes', Buffer.from([0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0])],
    ['a frame length beyond the number range', Buffer.from([0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255])],
  ])('rejects %s', (_, bytes) => {
    expect(() => read(bytes, [1])).toThrow(FrameError);
  });

  it('rejects an endless message', () => {
    const reader = new FrameReader();
    const part = Buffer.alloc(1024 * 1024);
    reader.push(frame(1, part, false), createSink());
    expect(() => {
      for (let i = 0; i < 20; i += 1) reader.push(frame(0, part, false), createSink());
    }).toThrow(FrameError);
  });

  it('parses or rejects any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), pieces, (bytes, lengths) => {
        try {
          read(Buffer.from(bytes), lengths);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 1000) },
    );
  });
});

describe('a client frame', () => {
  it('is masked with zeros', () => {
    expect([...clientFrame(1, Buffer.from('ab'))]).toEqual([0x81, 0x82, 0, 0, 0, 0, 97, 98]);
    expect([...pongFrame(Buffer.from('x'))]).toEqual([0x8a, 0x81, 0, 0, 0, 0, 120]);
    expect([...closeFrame(1001)]).toEqual([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);
  });
});
