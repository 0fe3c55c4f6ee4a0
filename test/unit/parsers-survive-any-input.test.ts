import type { IncomingMessage } from 'node:http';
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseComment } from '../../services/chat/comment.ts';
import { Origins, parseOriginRule } from '../../services/relay/access/origins.ts';
import { parseConnectRequest } from '../../services/relay/transport/connect-request.ts';
import { parseTopicRequest } from '../../services/relay/transport/long-poll/topic-request.ts';
import { decodeQuery, decodeReply, encodeReply } from '../../services/shared/broker/receipt-codec.ts';
import { AppError } from '../../services/shared/errors.ts';
import { createClientAddressReader } from '../../services/shared/http/client-address.ts';
import { requireMediaType } from '../../services/shared/http/read-body.ts';
import { createServiceUrl } from '../../services/shared/http/service-url.ts';
import { parseClientMessage } from '../../services/shared/protocol/client-message.ts';
import { parsePublishBody } from '../../services/shared/protocol/publish-request.ts';
import { type JsonText, toJsonText } from '../../services/shared/update/json-text.ts';
import { isTopic, parseTopic, type Topic } from '../../services/shared/update/topic.ts';
import { parseTopicPattern } from '../../services/shared/update/topic-pattern.ts';
import { isVersion, parseVersion } from '../../services/shared/update/update.ts';
import { decodeBody, decodeSignal, encodeBody, encodeSignal } from '../../services/shared/update/update-codec.ts';
import { createAuthenticate } from '../../services/webhook/authenticate.ts';
import { parseBinaryEvent, parseCloudEvent } from '../../services/webhook/cloud-event.ts';
import {
  createTokenCredential,
  parseSigningSecret,
  type SigningCredential,
} from '../../services/webhook/credential.ts';
import { FailureLimit } from '../../services/webhook/failure-limit.ts';
import { parseTopicTemplate } from '../../services/webhook/sources/topic-template.ts';
import { VERIFIERS } from '../../services/webhook/sources/verifiers.ts';
import { parseWaitParameters } from '../../services/webhook/wait-parameters.ts';
import { expectInTime, startStopwatch } from '../support/elapsed.ts';
import { WEBHOOK_SECRET } from '../support/signed-headers.ts';
import { slowdown } from '../support/slowdown.ts';

/** Inputs for each parser; a long run sets FUZZ_RUNS=100000. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 3000);

/** Text of any kind: random, JSON of any structure, and almost valid text. */
const almost = (...words: string[]) =>
  fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 5 }))).map((parts) => parts.join(''));
const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.string());

/** Returns the result of a parser, or the documented error that it throws. */
function outcome<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return undefined;
  }
}

function holdsFor(arbitrary: fc.Arbitrary<string>, property: (text: string) => void): void {
  fc.assert(fc.property(arbitrary, property), { numRuns });
}

const chat = 'chat' as Topic;

describe('input from outside', { timeout: (20_000 + 10 * numRuns) * slowdown() }, () => {
  const field = fc.oneof(fc.jsonValue(), fc.constantFrom('chat', ['a', 'b'], [], '', 'a b', [['a']], { 0: 'a' }));
  const messages = fc.oneof(
    anyText,
    fc
      .record(
        {
          type: fc.constantFrom('subscribe', 'unsubscribe', 'auth', 'ping', 'x', 7),
          topics: fc.oneof(field, fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.nat(), fc.constant(null)))),
          token: field,
        },
        { requiredKeys: [] },
      )
      .map((value) => JSON.stringify(value)),
  );

  it('as a client message is parsed, or rejected with a documented error', () => {
    holdsFor(messages, (text) => {
      const message = outcome(() => parseClientMessage(text));
      if (message?.type === 'subscribe') {
        for (const [topic, since] of message.topics)
          expect(isTopic(topic) && (since === null || isVersion(since))).toBe(true);
      } else if (message?.type === 'unsubscribe') expect(message.topics.every(isTopic)).toBe(true);
    });
  });

  it('as the body of a call is parsed, or rejected with a documented error', () => {
    const bodies = fc.oneof(
      anyText,
      fc
        .record(
          { topic: field, topics: field, data: fc.jsonValue(), updates: fc.array(fc.jsonValue()) },
          { requiredKeys: [] },
        )
        .map((value) => JSON.stringify(value)),
      fc.nat(20_000).map((depth) => `{"topic":"a","data":${'['.repeat(depth)}${']'.repeat(depth)}}`),
    );
    holdsFor(bodies, (text) => {
      for (const request of outcome(() => parsePublishBody(text)) ?? []) {
        expect(request.topics.length).toBeGreaterThan(0);
        expect(request.topics.length).toBeLessThanOrEqual(100);
        expect(request.topics.every(isTopic)).toBe(true);
        expect(decodeBody(encodeBody(request))).toEqual(request.data === undefined ? {} : { data: request.data });
        if (request.data !== undefined) expect(() => JSON.parse(request.data ?? '')).not.toThrow();
      }
    });
  });

  it('as a topic name has the documented characters, or is rejected with a documented error', () => {
    holdsFor(fc.oneof(anyText, almost('chat', '/', '..', ':', '~', ' ', '\0', '\n', '\u00e4', '{', '}')), (text) => {
      if (outcome(() => parseTopic(text)) === undefined) expect(isTopic(text)).toBe(false);
      else expect(text).toMatch(/^[A-Za-z0-9._~:/-]{1,128}$/);
    });
    for (const value of [undefined, null, 7, ['chat'], { toString: () => 'chat' }]) {
      expect(outcome(() => parseTopic(value))).toBeUndefined();
    }
  });

  const queries = fc.oneof(
    anyText,
    almost('topic=', 'since=', 'token=', '&', ',', '1', '%', '%ff', '%00', '=', 'chat', '__proto__', '[]', '%2e%2e'),
  );
  const ids = fc.oneof(anyText, almost('1', '0', ',', ' ', '-', '1790000000000000', '9007199254740993', '\0'));

  it('as the query of a client is parsed, or rejected with a documented error', () => {
    const options = fc.record(
      {
        authorization: fc.oneof(anyText, almost('Bearer ', 'x', ' ')),
        lastEventId: ids,
        defaultTopic: fc.constant(chat),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(queries, options, (query, rest) => {
        const greeting = outcome(() => parseConnectRequest(query, { maxTopics: 4, ...rest }));
        if (!greeting) return;
        expect(greeting.topics.size).toBeLessThanOrEqual(4);
        for (const [topic, since] of greeting.topics)
          expect(isTopic(topic) && (since === null || isVersion(since))).toBe(true);
      }),
      { numRuns },
    );
  });

  it('as a Last-Event-ID never prevents a stream', () => {
    holdsFor(ids, (lastEventId) => {
      const { topics } = parseConnectRequest('topic=a&topic=b', { maxTopics: 2, lastEventId });
      expect([...topics.keys()]).toEqual(['a', 'b']);
      for (const since of topics.values()) expect(since === null || isVersion(since)).toBe(true);
    });
  });

  it('as the path and headers of a long-poll becomes a bounded wait, or is rejected with a documented error', () => {
    const paths = fc.oneof(anyText, almost('chat', '%', '%2e', '%2f', '/', '..', '%00', '%0d%0a', '%ff', '?', '#'));
    const tags = fc.oneof(anyText, almost('"', 'W/', '1', '1790000000000000', '*', ',', ' ', '\\'));
    const preferences = fc.oneof(
      anyText,
      almost('wait', '=', '10', '-1', '1e9', '"', ',', ';', ' ', 'Wait', 'respond-async'),
    );
    fc.assert(
      fc.property(paths, tags, preferences, (path, ifNoneMatch, prefer) => {
        const request = outcome(() => parseTopicRequest({ path, query: new URLSearchParams(), ifNoneMatch, prefer }));
        if (!request) return;
        expect(isTopic(request.topic)).toBe(true);
        expect([...(request.known ?? [])].every(isVersion)).toBe(true);
        expect(request.waitMs >= 0 && request.waitMs <= 25_000).toBe(true);
      }),
      { numRuns },
    );
    holdsFor(fc.oneof(tags, preferences), (text) => {
      // An invalid header never fails the request (RFC 9110, RFC 7240).
      expect(
        parseTopicRequest({ path: 'chat', query: new URLSearchParams(), ifNoneMatch: text, prefer: text }).topic,
      ).toBe('chat');
    });
  });

  it('as a version is a safe integer, or undefined', () => {
    holdsFor(fc.oneof(anyText, almost('0', '1', '9007199254740991', '-', '.', 'e', ' ')), (text) => {
      const version = parseVersion(text);
      if (version !== undefined) expect(isVersion(version) && String(version) === text).toBe(true);
    });
  });

  it('as a topic pattern never throws, and matches by its prefix', () => {
    holdsFor(fc.oneof(anyText, almost('chat', '/', '*', '**')), (text) => {
      const pattern = parseTopicPattern(text);
      if (pattern?.('chat/1' as Topic)) expect('chat/1'.startsWith(text.replace(/\*$/, ''))).toBe(true);
    });
  });

  it('as a signal or a stored body never throws, and encoded ones are decoded unchanged', () => {
    holdsFor(fc.oneof(anyText, almost('1', ' ', '{', '}', '"data":', '"spread":', '1e999')), (text) => {
      decodeBody(text);
      const update = decodeSignal('chat' as Topic, text);
      if (update) expect(isVersion(update.version)).toBe(true);
    });
    const rest = { spread: fc.maxSafeNat(), traceparent: fc.stringMatching(/^[0-9a-f-]{0,60}$/) };
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.jsonValue(), fc.record(rest, { requiredKeys: [] }), (version, value, rest) => {
        const body = { data: toJsonText(value) as JsonText, ...rest };
        const signal = encodeSignal(version, encodeBody(body));
        expect(decodeSignal('chat' as Topic, signal)).toEqual({ topic: 'chat', version, ...body });
        // As build 0.1.0 reads and writes it.
        expect(JSON.parse(signal.slice(signal.indexOf(' ')))).toEqual({ data: JSON.parse(body.data), ...rest });
        expect(decodeBody(JSON.stringify({ data: value, ...rest }))).toEqual(body);
        expect(decodeBody(JSON.stringify({ later: 1, data: value, ...rest }))).toEqual(body);
      }),
      { numRuns },
    );
  });

  it('as wait parameters becomes a bounded wait, or none, or is rejected with a documented error', () => {
    const queries = fc.oneof(
      anyText,
      almost('wait=', 'delivered', '&', 'timeout=', '5', 's', 'ms', '999999999999', '%'),
    );
    holdsFor(queries, (text) => {
      const wait = outcome(() => parseWaitParameters(new URLSearchParams(text)));
      if (wait) expect(wait.timeoutMs >= 100 && wait.timeoutMs <= 30_000).toBe(true);
    });
  });

  it('as a receipt query or a reply never throws, and encoded ones are decoded unchanged', () => {
    holdsFor(fc.oneof(anyText, almost('id', ' ', 'chat', '[', ']', '1', ',', 'null')), (text) => {
      const question = decodeQuery(text);
      if (question) expect(question.topics.length > 0 && question.topics.every(isTopic)).toBe(true);
      for (const receipt of decodeReply(text, 1) ?? [])
        expect(Object.values(receipt ?? {}).every(isVersion)).toBe(true);
    });
    const receipt = fc.record({
      version: fc.maxSafeNat(),
      delivered: fc.nat(),
      subscribed: fc.nat(),
      behind: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(fc.option(receipt, { nil: undefined })), (answer) => {
        expect(decodeReply(encodeReply(answer), answer.length)).toEqual(answer);
        expect(decodeReply(encodeReply(answer), answer.length + 1)).toBeUndefined();
      }),
      { numRuns },
    );
  });

  it('as the headers of a call is never accepted', () => {
    const authenticate = createAuthenticate({
      secrets: [parseSigningSecret(WEBHOOK_SECRET) as SigningCredential],
      tokens: [createTokenCredential('a-token-that-no-run-generates')],
      failures: new FailureLimit({ readAddress: (address) => address, nowMs: () => 0, report: { callLimited() {} } }),
      nowMs: () => 1_700_000_000_000,
    });
    const headers = fc.record(
      {
        authorization: fc.oneof(anyText, almost('Bearer ', 'a-token-that-no-run-generate', ' ', 'S')),
        'webhook-id': fc.oneof(anyText, fc.constant('msg_1')),
        'webhook-timestamp': fc.oneof(anyText, fc.constant('1700000000')),
        'webhook-signature': fc.oneof(anyText, almost('v1,', 'v1a,', ' ', 'AAAA', '=', ',')),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(headers, fc.uint8Array(), (candidate, body) => {
        expect(outcome(() => authenticate({ headers: candidate, socket: {} })(Buffer.from(body)))).toBeUndefined();
      }),
      { numRuns },
    );
  });

  it('as a media type or a comment is parsed, or rejected with a documented error', () => {
    const types = fc.oneof(anyText, almost('application/json', ';', ' ', 'charset=utf-8', ',', 'text/plain', '\t'));
    holdsFor(types, (type) => {
      const taken = outcome(() => requireMediaType({ 'content-type': type }, ['application/json']));
      if (taken !== undefined) expect(type).toMatch(/^application\/json *(;|$)/i);
    });
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('name', 'text', '__proto__', 'x'), field), (fields) => {
        outcome(() => parseComment(fields));
      }),
      { numRuns },
    );
  });

  it('as a Host header becomes the address of a relay, and nothing else', () => {
    const relayUrl = createServiceUrl({ url: undefined, port: 8080 });
    const hosts = fc.oneof(
      anyText,
      fc.domain(),
      fc.ipV6(),
      almost('256', '.', '1', ':', '[', ']', 'xn--', '0x', ';', "'"),
    );
    holdsFor(hosts, (host) => {
      const url = relayUrl({ headers: { host } } as IncomingMessage);
      expect(new URL(url).port).toBe('8080');
      expect(url).not.toMatch(/[\s;,'"<>]/);
    });
  });

  it('takes time in proportion to its length', () => {
    const long = (part: string) => part.repeat(64 * 1024).slice(0, 64 * 1024);
    for (const part of [
      ' ',
      'a',
      '"',
      '1',
      ',',
      '%',
      '=',
      'wait=',
      ' wait=1 ',
      '"1" ',
      'Bearer ',
      'topic=a&',
      '[',
      '{"a":',
    ]) {
      const stopwatch = startStopwatch();
      const text = long(part);
      outcome(() => {
        parseTopicRequest({ path: text, query: new URLSearchParams(text), ifNoneMatch: text, prefer: text });
      });
      outcome(() => parseConnectRequest(text, { maxTopics: 4, authorization: `Bearer ${text} x`, lastEventId: text }));
      outcome(() => parseClientMessage(text));
      outcome(() => parsePublishBody(text));
      outcome(() => parseTopic(text));
      outcome(() => requireMediaType({ 'content-type': text }, ['application/json']));
      decodeSignal(chat, text);
      createClientAddressReader(new BlockList())('10.0.0.1', text);
      parseOriginRule(text);
      expectInTime(stopwatch.stop(), 1000);
    }
  });

  it('as the head of a delivery is checked or rejected with a documented error, and never verified by chance', () => {
    const secrets: Record<string, string> = { standard: WEBHOOK_SECRET, basic: 'sender:a secret of the tests' };
    const verifiers = Object.entries(VERIFIERS).map(([name, kind]) =>
      kind.create([secrets[name] ?? 'a-secret-of-the-tests']),
    );
    const value = fc.oneof(
      anyText,
      almost(
        't=1790000000',
        ',',
        'v1=',
        'a'.repeat(64),
        'sha256=',
        'Basic ',
        'v1,',
        `${'A'.repeat(43)}=`,
        '1790000000',
      ),
    );
    const names = [
      ...['authorization', 'x-hub-signature-256', 'x-github-delivery', 'stripe-signature', 'x-shopify-hmac-sha256'],
      ...['webhook-id', 'webhook-timestamp', 'webhook-signature', 'svix-id', 'svix-timestamp', 'svix-signature'],
    ];
    const heads = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
    fc.assert(
      fc.property(heads, fc.option(value, { nil: undefined }), anyText, (headers, token, body) => {
        for (const verifier of verifiers) {
          const check = outcome(() => verifier.check({ headers, token, nowMs: 1_790_000_000_000 }));
          expect(check === true || (typeof check === 'function' && check(Buffer.from(body)))).toBe(false);
          outcome(() => verifier.deliveryId(headers, body));
        }
      }),
      { numRuns },
    );
  });

  it('as an event names a valid topic, or is rejected with a documented error', () => {
    const templates = ['t/{a}', '{a.b.0}', '{a}{b}', '{__proto__.a}', '{constructor.name}'].map(parseTopicTemplate);
    const events = fc.oneof(
      fc.jsonValue(),
      fc.record({ a: field, b: field }),
      fc.record({ a: fc.record({ b: field }) }),
    );
    fc.assert(
      fc.property(events, (event) => {
        for (const template of templates) {
          const topic = outcome(() => template?.fill(event));
          if (topic !== undefined) expect(isTopic(topic)).toBe(true);
        }
      }),
      { numRuns },
    );
  });

  it('as a CloudEvent has an id and a source, or is rejected with a documented error', () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('1.0', 'e-1', '/orders', '', '%ff', '%41'));
    const members = { specversion: value, id: value, source: value, type: value, data: value };
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record(members, { requiredKeys: [] })), (event) => {
        const headers = Object.entries(Object(event)).map(([name, text]) => [
          `ce-${name}`,
          typeof text === 'string' ? text : 'x',
        ]);
        for (const parse of [
          () => parseCloudEvent(event),
          () => parseBinaryEvent(Object.fromEntries(headers), undefined),
        ]) {
          const parsed = outcome(parse);
          if (parsed) expect(parsed.id !== '' && parsed.source !== '').toBe(true);
        }
      }),
      { numRuns },
    );
  });

  it('as an origin or a forwarded address never throws', () => {
    const rule = parseOriginRule('https://*.example.org');
    const origins = new Origins({ allowed: rule ? [rule] : [], sameHostOnly: false, allowMissing: false });
    const proxies = new BlockList();
    proxies.addSubnet('0.0.0.0', 0, 'ipv4');
    const read = createClientAddressReader(proxies);
    holdsFor(fc.oneof(anyText, fc.webUrl(), almost('https://', 'example.org', '.', 'evil', ':', '@', '/')), (text) => {
      if (origins.mayConnect(text, 'relay')) expect(text).toMatch(/^https:\/\/[^/]*\.example\.org(:443)?$/i);
      parseOriginRule(text);
    });
    holdsFor(fc.oneof(anyText, almost('1.2.3.4', ',', '::1', '[', ']', ':', 'x')), (text) => {
      expect(read('10.0.0.1', text).length).toBeGreaterThan(0);
    });
  });
});
