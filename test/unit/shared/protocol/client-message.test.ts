import { describe, expect, it } from 'vitest';
import { MAX_TOPICS_PER_MESSAGE, parseClientMessage } from '../../../../services/shared/protocol/client-message.ts';

const names = (count: number) => Array.from({ length: count }, (_, i) => `topic-${i}`);
const subscribe = (topics: unknown) => JSON.stringify({ type: 'subscribe', topics });
const unsubscribe = (topics: unknown) => JSON.stringify({ type: 'unsubscribe', topics });
const withVersions = (count: number) => Object.fromEntries(names(count).map((name, i) => [name, i + 1]));

describe('a message of a client', () => {
  it('subscribes to topics, each with the version that the client has, or null', () => {
    const topics = new Map([
      ['chat', 7],
      ['news', null],
    ]);
    expect(parseClientMessage(subscribe({ chat: 7, news: null }))).toEqual({ type: 'subscribe', topics });
  });

  it('unsubscribes from topics', () => {
    expect(parseClientMessage(unsubscribe(['chat', 'news']))).toEqual({
      type: 'unsubscribe',
      topics: ['chat', 'news'],
    });
  });

  it('renews a token, or is a ping', () => {
    expect(parseClientMessage('{"type":"auth","token":"t"}')).toEqual({ type: 'auth', token: 't' });
    expect(parseClientMessage('{"type":"ping"}')).toEqual({ type: 'ping' });
  });

  it(`may have ${MAX_TOPICS_PER_MESSAGE} topics`, () => {
    const message = parseClientMessage(subscribe(withVersions(MAX_TOPICS_PER_MESSAGE)));
    expect(message.type === 'subscribe' && message.topics.size).toBe(MAX_TOPICS_PER_MESSAGE);
    expect(parseClientMessage(unsubscribe(names(MAX_TOPICS_PER_MESSAGE)))).toMatchObject({ type: 'unsubscribe' });
  });

  it.each([
    ['no JSON', '{', 'invalid_json'],
    ['a number', '1', 'invalid_message'],
    ['null', 'null', 'invalid_message'],
    ['a list', '[]', 'invalid_message'],
    ['of no type', '{}', 'unknown_type'],
    ['of another type', '{"type":"publish"}', 'unknown_type'],
    ['a subscription without topics', '{"type":"subscribe"}', 'invalid_message'],
    ['a subscription to a list', subscribe(['chat']), 'invalid_message'],
    ['a subscription to nothing', subscribe({}), 'invalid_message'],
    ['a subscription to too many topics', subscribe(withVersions(MAX_TOPICS_PER_MESSAGE + 1)), 'invalid_message'],
    ['a subscription with one invalid topic', subscribe({ chat: 1, 'no topic': 1 }), 'invalid_topic'],
    ['a subscription with an invalid version', subscribe({ chat: 1, news: -1 }), 'invalid_message'],
    ['an end of subscriptions without topics', '{"type":"unsubscribe"}', 'invalid_message'],
    ['an end of no subscriptions', unsubscribe([]), 'invalid_message'],
    ['an end of an object', unsubscribe({ length: 1 }), 'invalid_message'],
    ['an end of too many', unsubscribe(names(MAX_TOPICS_PER_MESSAGE + 1)), 'invalid_message'],
    ['an end with one invalid topic', unsubscribe(['chat', 'no topic']), 'invalid_topic'],
    ['a token that is no text', '{"type":"auth","token":1}', 'invalid_message'],
  ])('is refused if it is %s', (_what, text, code) => {
    expect(() => parseClientMessage(text)).toThrow(expect.objectContaining({ code }));
  });
});
