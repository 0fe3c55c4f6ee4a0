import { type Json, objectSchema, SPREAD_SCHEMA, TOPIC_SCHEMA, VERSION_SCHEMA } from '../shared/contract/openapi.ts';
import { ERRORS, type ErrorCode } from '../shared/errors.ts';
import { readPackageVersion } from '../shared/package-version.ts';
import { MAX_TOPICS_PER_MESSAGE } from '../shared/protocol/client-message.ts';
import { CLOSE_CODES, mayRetry } from '../shared/protocol/close-codes.ts';
import { MAX_EVENT_TOPICS, TURBO_REFRESH } from './transport/sse/sse-stream.ts';

/** The path of the description of `/ws` and `/events`. */
export const ASYNCAPI_PATH = '/asyncapi.json';

/** Errors of a connection that is refused, by both transports. */
const CONNECT_ERRORS = [
  'invalid_topic',
  'invalid_since',
  'too_many_topics',
  'host_forbidden',
  'origin_forbidden',
  'internal_error',
] as const satisfies readonly ErrorCode[];

const HANDSHAKE_ERRORS = [
  ...CONNECT_ERRORS,
  'upgrade_required',
  'invalid_request',
  'too_many_connections',
  'relay_full',
  'connecting_too_fast',
  'draining',
] as const satisfies readonly ErrorCode[];

const STREAM_ERRORS = [
  ...CONNECT_ERRORS,
  'unknown_format',
  'unauthorized',
  'topic_forbidden',
  'method_not_allowed',
  'rebalancing',
] as const satisfies readonly ErrorCode[];

const MESSAGE_ERRORS = [
  'invalid_json',
  'invalid_message',
  'unknown_type',
  'invalid_topic',
  'too_many_topics',
  'unauthorized',
  'topic_forbidden',
  'keys_unavailable',
  'relay_full',
  'connecting_too_fast',
  'too_fast',
] as const satisfies readonly ErrorCode[];

/** What each close code means; the codes of `CLOSE_CODES` that a relay sends. */
const CLOSES = {
  abuse: 'A binary message.',
  tooBig: 'A message larger than `MAX_MESSAGE_SIZE`.',
  drain: 'The relay drains or rebalances. The reason is the time to wait before connecting again, in milliseconds.',
  full: 'The relay is full, or the keys for verifying tokens are unavailable. Connect again later.',
  unauthorized: 'The token is missing or invalid.',
  forbidden: 'The token does not cover the topics.',
  tooFast: 'Too many messages. Connect again, and send less.',
  rebalancing: 'Only after the parameter `tries`: connect again at once, with one try less.',
} satisfies Record<Exclude<keyof typeof CLOSE_CODES, 'goingAway'>, string>;

/** Returns the description of `/ws` and `/events` in AsyncAPI 3. */
export function relayAsyncApi(): Json {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Heliograph relay',
      version: readPackageVersion(),
      description: 'Notifies clients of updates. `/openapi.json` describes `/topics/`.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      websocket: { host: '{host}', protocol: 'ws', variables: { host: HOST } },
      http: { host: '{host}', protocol: 'http', variables: { host: HOST } },
    },
    channels: {
      ws: {
        address: '/ws',
        description: 'One JSON message in each text frame.',
        servers: [{ $ref: '#/servers/websocket' }],
        messages: refsTo('messages', [...SENT_ON_WS, ...RECEIVED_ON_WS]),
        bindings: {
          ws: { method: 'GET', query: querySchema({ topic: { type: 'array', items: schemaRef('Topic') } }) },
        },
        'x-close-codes': Object.entries(CLOSES).map(([name, description]) => {
          const code = CLOSE_CODES[name as keyof typeof CLOSES];
          return { code, description, mayReconnect: mayRetry(code) };
        }),
        'x-errors': errorsByCode(HANDSHAKE_ERRORS),
      },
      events: {
        address: '/events',
        description:
          'Server-Sent Events: the name of each message is that of its event, and its payload the data. If the relay is full ' +
          'or shuts down, the stream ends at once with a `retry` time.',
        servers: [{ $ref: '#/servers/http' }],
        messages: refsTo('messages', SENT_ON_EVENTS),
        'x-errors': errorsByCode(STREAM_ERRORS),
      },
    },
    operations: {
      sendMessage: operation('send', 'ws', SENT_ON_WS),
      receiveMessage: operation('receive', 'ws', RECEIVED_ON_WS),
      sendEvent: {
        ...operation('send', 'events', SENT_ON_EVENTS),
        bindings: { http: { method: 'GET', query: querySchema(EVENT_PARAMETERS) } },
      },
    },
    components: { messages: MESSAGES, schemas: { Topic: TOPIC_SCHEMA, Version: VERSION_SCHEMA } },
  };
}

function operation(action: 'send' | 'receive', channel: string, messages: readonly string[]): Json {
  return {
    action,
    channel: { $ref: `#/channels/${channel}` },
    messages: messages.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
  };
}

function schemaRef(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function refsTo(kind: string, names: readonly string[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/${kind}/${name}` }]));
}

function errorsByCode(codes: readonly ErrorCode[]): Json {
  return Object.fromEntries(codes.map((code) => [code, ERRORS[code]]));
}

/** Returns the schema of the parameters of a connection. */
function querySchema(own: Json): Json {
  return {
    type: 'object',
    properties: {
      since: {
        type: 'string',
        description: 'The versions that the client has, comma-separated, in the order of the topics.',
      },
      token: { type: 'string', description: 'A JWT, if topics are private.' },
      tries: { type: 'integer', minimum: 1, maximum: 9, description: 'How often the client connects again at once.' },
      ...own,
    },
  };
}

const HOST = { default: 'localhost:8080', description: 'Host and port of the relay; `wss` and `https` behind TLS.' };

const EVENT_PARAMETERS = {
  topic: { type: 'array', items: schemaRef('Topic'), minItems: 1, maxItems: MAX_EVENT_TOPICS },
  lastEventId: { type: 'string', description: 'As the header `Last-Event-ID`, for clients that cannot send it.' },
  format: { enum: ['json', 'turbo'], default: 'json', description: 'With `turbo`, updates are `turboRefresh` events.' },
  'Last-Event-ID': { type: 'string', description: 'The same.' },
};

/** Returns a message whose `type` is its name. */
function message(type: string, summary: string, required: Json = {}, optional: Json = {}): Json {
  return { name: type, summary, payload: objectSchema({ type: { const: type }, ...required }, optional) };
}

const versions = { type: 'object', propertyNames: schemaRef('Topic'), minProperties: 1 };
const versionOrNull = { oneOf: [schemaRef('Version'), { type: 'null' }] };
const refusal = (codes: readonly ErrorCode[]) => ({ code: { enum: codes } });

const MESSAGES = {
  subscribed: message('subscribed', 'The current version of each topic; null while the relay is stale.', {
    topics: { ...versions, additionalProperties: versionOrNull },
  }),
  update: message(
    'update',
    'A topic has changed.',
    { topic: schemaRef('Topic'), version: schemaRef('Version') },
    { data: { description: 'The content that was published: any JSON value.' }, spread: SPREAD_SCHEMA },
  ),
  freshness: message('freshness', 'Whether the relay can guarantee that its versions are current.', {
    fresh: { type: 'boolean' },
  }),
  error: message('error', 'A request was refused; `topic` if only that topic was.', refusal(MESSAGE_ERRORS), {
    topic: schemaRef('Topic'),
  }),
  pong: message('pong', 'The reply to a ping.'),
  subscribe: message('subscribe', 'Subscribes; a version instead of null resumes from it.', {
    topics: { ...versions, maxProperties: MAX_TOPICS_PER_MESSAGE, additionalProperties: versionOrNull },
  }),
  unsubscribe: message('unsubscribe', 'Unsubscribes.', {
    topics: { type: 'array', items: schemaRef('Topic'), minItems: 1, maxItems: MAX_TOPICS_PER_MESSAGE },
  }),
  auth: message('auth', 'Presents or renews a token.', { token: { type: 'string' } }),
  ping: message('ping', 'Asks for a pong.'),
  refused: {
    name: 'refused',
    summary: 'This client may not subscribe to a topic.',
    payload: objectSchema({
      type: { const: 'error' },
      ...refusal(['unauthorized', 'topic_forbidden']),
      topic: schemaRef('Topic'),
    }),
  },
  turboRefresh: {
    name: 'message',
    summary: 'A topic has changed, for a client with `format=turbo`. The event has no name.',
    contentType: 'text/html',
    payload: { const: TURBO_REFRESH },
  },
  eventPing: { name: 'ping', summary: 'Every 15 s.', payload: { type: 'object', maxProperties: 0 } },
};

const SENT_ON_WS = ['subscribed', 'update', 'freshness', 'error', 'pong'];
const RECEIVED_ON_WS = ['subscribe', 'unsubscribe', 'auth', 'ping'];
const SENT_ON_EVENTS = ['subscribed', 'update', 'turboRefresh', 'freshness', 'refused', 'eventPing'];
