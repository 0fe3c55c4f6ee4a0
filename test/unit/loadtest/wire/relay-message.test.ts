import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTold, ToldCache } from '../../../../services/loadtest/wire/relay-message.ts';
import { JSON_ENCODER } from '../../../../services/relay/transport/message-encoder.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';
import type { Version } from '../../../../services/shared/update/update.ts';

const topic = 'a/1' as Topic;
const version = 1_790_000_000_000_001 as Version;

describe('what a relay says', () => {
  it('is an update with the mark that the test has put into it', () => {
    const data = JSON.stringify({ dueMs: 12.5, sequence: 3, padding: 'xxx' });
    expect(readTold(JSON_ENCODER.update({ topic, version, body: { data } } as never))).toMatchObject({
      type: 'update',
    });
    const text = `{"type":"update","topic":"a/1","version":${version},"data":${data}}`;
    expect(readTold(text)).toEqual({ type: 'update', topic, version, mark: { dueMs: 12.5, sequence: 3 } });
  });

  it('is an update without a mark where somebody else has published', () => {
    for (const data of ['null', '7', '"x"', '[]', '{"dueMs":"1","sequence":2}']) {
      const text = `{"type":"update","topic":"a/1","version":7,"data":${data}}`;
      expect(readTold(text)).toEqual({ type: 'update', topic, version: 7, mark: undefined });
    }
  });

  it('is an update where it is the register of a topic', () => {
    expect(readTold('{"topic":"a/1","version":7}')).toEqual({ type: 'update', topic, version: 7, mark: undefined });
  });

  it('is what is current, with null where nobody can vouch', () => {
    expect(
      readTold(
        JSON_ENCODER.subscribed(
          new Map([
            [topic, version],
            ['b' as Topic, null],
          ]),
        ) ?? '',
      ),
    ).toEqual({
      type: 'subscribed',
      numbers: [
        ['a/1', version],
        ['b', null],
      ],
    });
  });

  it('is a refusal', () => {
    expect(readTold(JSON_ENCODER.error('topic_forbidden', topic) ?? '')).toEqual({
      type: 'error',
      code: 'topic_forbidden',
    });
  });

  it('is anything else without harm', () => {
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
          const told = readTold(text);
          if (told.type === 'update') expect([typeof told.topic, typeof told.version]).toEqual(['string', 'number']);
          if (told.type === 'subscribed') {
            for (const [, number] of told.numbers) expect(number === null || typeof number === 'number').toBe(true);
          }
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 1000) },
    );
  });

  it('is read once for all who get the same bytes, and never taken for something else', () => {
    const cache = new ToldCache();
    const update = (n: number, padding = '') => Buffer.from(`{"type":"update","topic":"a","version":${n}${padding}}`);
    expect(cache.read(update(1))).toBe(cache.read(update(1)));
    // The same length and beginning: the same place in the cache.
    const long = (end: string) => update(1, `,"data":"${'x'.repeat(200)}${end}"`);
    for (const bytes of [long('a'), long('b'), long('a')])
      expect(cache.read(bytes)).toEqual(readTold(bytes.toString()));
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 50 }), (versions) => {
        for (const n of versions) expect(cache.read(update(n))).toMatchObject({ version: n });
      }),
    );
  });

  it('stays what it was when the buffer that it came in is used again', () => {
    const cache = new ToldCache();
    const buffer = Buffer.from('{"type":"update","topic":"a","version":1}');
    cache.read(buffer);
    buffer.write('2', buffer.length - 2);
    expect(cache.read(buffer)).toMatchObject({ version: 2 });
  });
});
