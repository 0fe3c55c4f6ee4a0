import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError, type ErrorCode } from '../../../../services/shared/errors.ts';
import {
  MAX_DATA_DEPTH,
  MAX_REQUESTED_SPREAD_MS,
  MAX_TOPICS_PER_REQUEST,
  parseData,
  parsePublishBody,
  parsePublishRequest,
} from '../../../../services/shared/protocol/publish-request.ts';

function codeOf(text: string): ErrorCode | undefined {
  try {
    parsePublishRequest(text);
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
  return undefined;
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `topic-${i}`);
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

describe('parsePublishRequest', () => {
  it('parses one topic', () => {
    expect(parsePublishRequest('{"topic":"chat"}')).toStrictEqual({ topics: ['chat'] });
  });

  it('parses several topics in their order, each once', () => {
    expect(parsePublishRequest('{"topics":["b","a","b","c","a"]}')).toEqual({ topics: ['b', 'a', 'c'] });
  });

  it.each(['null', 'false', '0', '""', '"text"', '[1,[2]]', '{"a":{"b":null}}'])('passes on the data %s', (data) => {
    expect(parsePublishRequest(`{"topic":"chat","data":${data}}`)).toEqual({
      topics: ['chat'],
      data,
    });
  });

  it('returns data as it was sent: digits, key order and escapes, without whitespace between tokens', () => {
    const data = '{"b" :\t9007199254740993, "a":[ 1e400,\r\n1.0 , "\\u00fc  \\" ,x\\\\" ], "" : { } }';
    expect(parsePublishRequest(`{ "data" :${data} , "topic": "chat", "spread": 5 }`)).toEqual({
      topics: ['chat'],
      spread: 5,
      data: '{"b":9007199254740993,"a":[1e400,1.0,"\\u00fc  \\" ,x\\\\"],"":{}}',
    });
  });

  it('takes the last of several members of one name, however it is escaped', () => {
    expect(parsePublishRequest('{"data":1,"d\\u0061ta":[2],"topic":"a","topic":"b"}')).toEqual({
      topics: ['b'],
      data: '[2]',
    });
  });

  it('distinguishes null from missing data', () => {
    expect(parseData(undefined)).toBeUndefined();
    expect(parsePublishRequest('{"topic":"chat","data":null}')).toHaveProperty('data', 'null');
    expect(parsePublishRequest('{"topic":"chat"}')).not.toHaveProperty('data');
  });

  it.each(['dta', 'Topic', '__proto__', ''])('refuses the unknown member "%s"', (name) => {
    expect(codeOf(`{"topic":"chat","${name}":1}`)).toBe('unknown_member');
  });

  it('allows exactly as many different topics as documented', () => {
    const most = numbered(MAX_TOPICS_PER_REQUEST);
    expect(codeOf(JSON.stringify({ topics: [...most, ...most] }))).toBeUndefined();
    expect(codeOf(JSON.stringify({ topics: [...most, 'more'] }))).toBe('too_many_topics');
  });

  it('allows data exactly as deep as documented', () => {
    expect(codeOf(`{"topic":"a","data":${nested(MAX_DATA_DEPTH)}}`)).toBeUndefined();
    expect(codeOf(`{"topic":"a","data":${nested(MAX_DATA_DEPTH + 1)}}`)).toBe('invalid_request');
    expect(codeOf(`{"topic":"a","data":${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}}`)).toBe('invalid_request');
    expect(codeOf(nested(32_000))).toBe('invalid_request');
  });

  it.each([
    ['', 'invalid_json'],
    ['{', 'invalid_json'],
    ['{"topic":"a"} x', 'invalid_json'],
    ["{'topic':'a'}", 'invalid_json'],
    ['null', 'invalid_request'],
    ['[]', 'invalid_request'],
    ['"chat"', 'invalid_request'],
    ['{}', 'invalid_request'],
    ['{"topic":"a","topics":["b"]}', 'invalid_request'],
    ['{"topic":null}', 'invalid_request'],
    ['{"topic":1}', 'invalid_request'],
    ['{"topic":["a"]}', 'invalid_request'],
    ['{"topics":"a"}', 'invalid_request'],
    ['{"topics":[]}', 'invalid_request'],
    ['{"topics":{"0":"a","length":1}}', 'invalid_request'],
    ['{"topics":["a",2]}', 'invalid_request'],
    ['{"topics":["a",null]}', 'invalid_request'],
    ['{"topic":""}', 'invalid_topic'],
    ['{"topic":"a b"}', 'invalid_topic'],
    ['{"topic":"caf\u00e9"}', 'invalid_topic'],
    ['{"topic":"a\\n"}', 'invalid_topic'],
    ['{"topic":"a\\u0000"}', 'invalid_topic'],
    [`{"topic":"${'x'.repeat(129)}"}`, 'invalid_topic'],
    ['{"topics":["a","{b}"]}', 'invalid_topic'],
    ['{"__proto__":{"topic":"a"}}', 'unknown_member'],
    ['{"constructor":{"topic":"a"}}', 'unknown_member'],
  ])('rejects %s with %s', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it.each([0, 5, MAX_REQUESTED_SPREAD_MS])('passes on the spread %d', (spread) => {
    expect(parsePublishRequest(`{"topic":"chat","spread":${spread}}`)).toEqual({ topics: ['chat'], spread });
  });

  it.each([
    ['{"topic":"a","spread":-1}', 'spread must be milliseconds from 0 to 3600000'],
    ['{"topic":"a","spread":3600001}', 'spread must be milliseconds from 0 to 3600000'],
    ['{"topic":"a","spread":1.5}', 'spread must be milliseconds from 0 to 3600000'],
    ['{"topic":"a","spread":"5"}', 'spread must be milliseconds from 0 to 3600000'],
    ['{"topic":"a","spread":null}', 'spread must be milliseconds from 0 to 3600000'],
    ['{}', 'Exactly one of topic and topics is required'],
    ['{"topic":1}', 'topic must be a string'],
    ['{"topics":[]}', 'topics must be a list of one or more strings'],
    [`{"topic":"a","data":${nested(65)}}`, 'data is nested deeper than 64 levels'],
    [
      `{"topic":"a","${'x'.repeat(99)}yz":1}`,
      `The body may have the members topic, topics, data, spread, or only updates, not "${'x'.repeat(99)}y"`,
    ],
  ])('says what the sender has to change in %s', (text, message) => {
    expect(() => parsePublishRequest(text)).toThrow(expect.objectContaining({ message }));
  });

  it('passes on keys with a meaning in JavaScript as they are', () => {
    const request = parsePublishRequest('{"topic":"a","data":{"__proto__":{"x":1}}}');
    expect(request).toEqual({ topics: ['a'], data: '{"__proto__":{"x":1}}' });
    expect(Object.getPrototypeOf(request)).toBe(Object.prototype);
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
  });

  it('returns data on one line, with the value that was sent', () => {
    const indents = fc.constantFrom(0, 1, 3, '\t', '\n', ' \r\n');
    fc.assert(
      fc.property(fc.jsonValue(), indents, (data, indent) => {
        const request = parsePublishRequest(JSON.stringify({ topic: 'a', data }, null, indent));
        expect(request.data).toBe(JSON.stringify(data));
      }),
      { numRuns: 1000 },
    );
  });

  it('returns a request or throws a documented code for any text', () => {
    const codes = [undefined, 'invalid_json', 'unknown_member', 'invalid_request', 'invalid_topic', 'too_many_topics'];
    const field = fc.constantFrom('topic', 'topics', 'data', '__proto__', 'other');
    const almost = fc.dictionary(field, fc.jsonValue({ maxDepth: 3 })).map((value) => JSON.stringify(value));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), almost), (text) => {
        expect(codes).toContain(codeOf(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parsePublishBody', () => {
  const refusalOf = (text: string) => {
    try {
      parsePublishBody(text);
      return undefined;
    } catch (error) {
      const { code, message } = error as AppError;
      return [code, message];
    }
  };
  const LIST = JSON.stringify({ updates: Array.from({ length: 101 }, (_, i) => ({ topic: `t/${i}` })) });

  it('returns each of several updates as it was sent', () => {
    const text = '{"updates": [{"topic":"a","data":{ "n": 1.0 }}, {"topics":["b","c"],"spread":5}]}';
    expect(parsePublishBody(text)).toEqual([
      { topics: ['a'], data: '{"n":1.0}' },
      { topics: ['b', 'c'], spread: 5 },
    ]);
    expect(parsePublishBody('{"topic":"a"}')).toEqual([{ topics: ['a'] }]);
  });

  it.each([
    ['{"updates":[]}', 'invalid_request', 'updates must be a list of one or more objects'],
    ['{"updates":{"0":{"topic":"a"}}}', 'invalid_request', 'updates must be a list of one or more objects'],
    ['{"updates":null}', 'invalid_request', 'updates must be a list of one or more objects'],
    ['{"updates":["a"]}', 'invalid_request', 'The body must be a JSON object'],
    [
      '{"updates":[{"topic":"c"},{"topic":"a"},{"topics":["b","a"]}]}',
      'invalid_request',
      'updates must not have a topic twice, as a',
    ],
    ['{"updates":[{"topic":"a","dta":1}]}', 'unknown_member', 'not "dta"'],
    ['{"updates":[{"topic":"a"}],"spread":1}', 'unknown_member', 'A body with updates must have no other members'],
    ['{"updates":[{"topic":"a b"}]}', 'invalid_topic', ''],
    ['{"updates":"]"}', 'invalid_request', 'updates must be a list of one or more objects'],
    ['{"updates":[{"topic":"a"}]', 'invalid_json', ''],
    ['null', 'invalid_request', 'The body must be a JSON object'],
    ['"updates"', 'invalid_request', 'The body must be a JSON object'],
    [LIST, 'too_many_topics', 'A call may have 100 topics; this one has 101'],
  ])('rejects %s with %s', (text, code, message) => {
    expect(refusalOf(text)).toEqual([code, expect.stringContaining(message)]);
  });
});
