import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelayMessageCache, readRelayMessage } from '../../../../services/loadtest/wire/relay-message.ts';
import { JSON_ENCODER } from '../../../../services/relay/transport/message-encoder.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import type { Version } from '../../../../services/shared/update/update.ts';

const topic = 'a/1' as Topic;
const version = 1_790_000_000_000_001 as Version;

describe('a relay message', () => {
  it('is an update with the stamp of the test', () => {
    const data = JSON.stringify({ dueMs: 12.5, sequence: 3, padding: 'xxx' });
    expect(readRelayMessage(JSON_ENCODER.update({ topic, version, body: { data } } as never))).toMatchObject({
      type: 'update',
    });
    const text = `{"type":"update","topic":"a/1","version":${version},"data":${data}}`;
    expect(readRelayMessage(text)).toEqual({ type: 'update', topic, version, stamp: { dueMs: 12.5, sequence: 3 } });
  });

  it('is an update without a stamp if another publisher sent it', () => {
    for (const data of ['null', '7', '"x"', '[]', '{"dueMs":"1","sequence":2}']) {
      const text = `{"type":"update","topic":"a/1","version":7,"data":${data}}`;
      expect(readRelayMessage(text)).toEqual({ type: 'update', topic, version: 7, stamp: undefined });
    }
  });

  it('is an update if it is a response of /topics/', () => {
    expect(readRelayMessage('{"topic":"a/1","version":7}')).toEqual({
      type: 'update',
      topic,
      version: 7,
      stamp: undefined,
    });
  });

  it('has the current versions, null for those of a stale relay', () => {
    expect(
      readRelayMessage(
        JSON_ENCODER.subscribed(
          new Map([
            [topic, version],
            ['b' as Topic, null],
          ]),
        ) ?? '',
      ),
    ).toEqual({
      type: 'subscribed',
      versions: [
        ['a/1', version],
        ['b', null],
      ],
    });
  });

  it('is an error', () => {
    expect(readRelayMessage(JSON_ENCODER.error('topic_forbidden', topic) ?? '')).toEqual({
      type: 'error',
      code: 'topic_forbidden',
    });
  });

  it('is `other` for unknown content', () => {
    const field = fc.oneof(fc.jsonValue(), fc.constantFrom('update', 'subscribed', 'error', 'a', 7, null, {}));
    const message = fc.record(
      { type: field, topic: field, version: field, data: field, topics: field, code: field },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          message.map((value) => JSON.stringify(value)),
        ),
        (text) => {
          const parsed = readRelayMessage(text);
          if (parsed.type === 'update')
            expect([typeof parsed.topic, typeof parsed.version]).toEqual(['string', 'number']);
          if (parsed.type === 'subscribed') {
            for (const [, value] of parsed.versions) expect(value === null || typeof value === 'number').toBe(true);
          }
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 1000) },
    );
  });

  it('is parsed once for equal bytes, and never confused with other bytes', () => {
    const cache = new RelayMessageCache();
    const update = (n: number, padding = '') => Buffer.from(`{"type":"update","topic":"a","version":${n}${padding}}`);
    expect(cache.read(update(1))).toBe(cache.read(update(1)));
    // The same length and start: the same slot of the cache.
    const long = (end: string) => update(1, `,"data":"${'x'.repeat(200)}${end}"`);
    for (const bytes of [long('a'), long('b'), long('a')])
      expect(cache.read(bytes)).toEqual(readRelayMessage(bytes.toString()));
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 50 }), (versions) => {
        for (const n of versions) expect(cache.read(update(n))).toMatchObject({ version: n });
      }),
    );
  });

  it('does not change when its buffer is reused', () => {
    const cache = new RelayMessageCache();
    const buffer = Buffer.from('{"type":"update","topic":"a","version":1}');
    cache.read(buffer);
    buffer.write('2', buffer.length - 2);
    expect(cache.read(buffer)).toMatchObject({ version: 2 });
  });
});
