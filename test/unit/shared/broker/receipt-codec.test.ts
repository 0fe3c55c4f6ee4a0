import { describe, expect, it } from 'vitest';
import {
  decodeQuery,
  decodeReply,
  encodeQuery,
  encodeReply,
} from '../../../../services/shared/broker/receipt-codec.ts';
import { MAX_TOPICS_PER_REQUEST } from '../../../../services/shared/protocol/publish-request.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';

const topicsOf = (count: number) => Array.from({ length: count }, (_, i) => `topic-${i}` as Topic);

describe('a receipt query', () => {
  it('is decoded as it was encoded, with as many topics as a request may have', () => {
    for (const count of [1, MAX_TOPICS_PER_REQUEST]) {
      for (const id of ['a', 'a_-9Z', 'x'.repeat(64)]) {
        const query = { id, topics: topicsOf(count) };
        expect(decodeQuery(encodeQuery(query))).toEqual(query);
      }
    }
  });

  it.each([
    ['no id', ' topic'],
    ['an id of other characters', 'i.d topic'],
    ['an id with other characters before', '.id topic'],
    ['an id that is too long', `${'x'.repeat(65)} topic`],
    ['no topic', 'id'],
    ['too many topics', encodeQuery({ id: 'id', topics: topicsOf(MAX_TOPICS_PER_REQUEST + 1) })],
    ['an invalid topic among valid ones', 'id topic  topic'],
  ])('is invalid with %s', (_, text) => {
    expect(decodeQuery(text)).toBeUndefined();
  });
});

describe('the reply to a receipt query', () => {
  const receipt = { version: 1_790_000_000_000_001, delivered: 3, subscribed: 2, behind: 1 };

  it('is decoded as it was encoded, and by later numbers that this version does not know', () => {
    const reply = [receipt, undefined, { version: 0, delivered: 0, subscribed: 0, behind: 0, floor: 0 }];
    expect(decodeReply(encodeReply(reply), 3)).toEqual(reply);
    expect(encodeReply([receipt])).toBe('[[1790000000000001,3,2,1]]'); // earlier releases take no null
    expect(decodeReply('[[1790000000000001,3,2,1,9,8]]', 1)).toEqual([{ ...receipt, floor: 9 }]);
    expect(decodeReply('[]', 0)).toEqual([]);
  });

  it.each([
    ['of no JSON', '[[1,2,3,4]', 1],
    ['that is no list', '{"length":1,"0":null}', 1],
    ['with fewer topics than the query', '[null]', 2],
    ['with more topics than the query', '[null,null]', 1],
    ['with fewer than four numbers', '[[1,2,3]]', 1],
    ['with a number that is no version', '[[1,2,-3,4]]', 1],
    ['with a text instead of numbers', '["1234"]', 1],
    ['with an object instead of numbers', '[{"length":4}]', 1],
  ])('is invalid %s', (_, text, topics) => {
    expect(decodeReply(text, topics)).toBeUndefined();
  });
});
