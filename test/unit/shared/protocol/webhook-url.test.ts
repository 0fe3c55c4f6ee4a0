import { expect, it } from 'vitest';
import { namesTopics } from '../../../../services/shared/protocol/webhook-url.ts';

it.each([
  ['http://webhook:8090/webhook/chat', true],
  ['http://webhook:8090/webhook?topic=chat', true],
  ['http://webhook:8090/push/?topic', true],
  ['http://webhook:8090/webhook', false],
  ['http://webhook:8090/webhook?topics=chat', false],
  ['http://webhook:8090/push/webhook/', false],
  ['/webhook/chat', false],
])('whether an address of a webhook names topics: %s, %s', (url, names) => {
  expect(namesTopics(url)).toBe(names);
});
