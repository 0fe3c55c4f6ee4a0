import {
  ERRORS_OF_EVERY_REQUEST,
  getAndHead,
  healthPaths,
  type Json,
  jsonResponse,
  objectSchema,
  openApiDocument,
  openApiPaths,
  problemResponses,
  problemSchema,
  SPREAD_SCHEMA,
  schemaRef,
  TOPIC_SCHEMA,
  VERSION_SCHEMA,
} from '../shared/contract/openapi.ts';
import { ERRORS, type ErrorCode } from '../shared/errors.ts';
import { MAX_REQUESTED_SPREAD_MS, MAX_TOPICS_PER_REQUEST } from '../shared/protocol/publish-request.ts';

/** The path of the webhook's description that no other service has, below the prefix that proxies route to the webhook. */
export const WEBHOOK_OPENAPI_PATH = '/webhook/openapi.json';

/** Errors of calls with a credential. */
const CREDENTIAL_ERRORS = [
  'unauthorized',
  'invalid_signature',
  'invalid_timestamp',
  'invalid_webhook_id',
  'topic_forbidden',
  'rate_limited',
  'broker_unavailable',
] as const satisfies readonly ErrorCode[];

const PUBLISH_ERRORS = [
  ...CREDENTIAL_ERRORS,
  'invalid_json',
  'too_many_topics',
  'body_too_large',
  'too_many_bodies',
  'call_in_progress',
  'not_replicated',
] as const satisfies readonly ErrorCode[];

const CALL_ERRORS = [
  ...PUBLISH_ERRORS,
  'invalid_topic',
  'unknown_member',
  'webhook_id_reused',
  'unsupported_media_type',
  'too_many_waiting',
] as const satisfies readonly ErrorCode[];

const SOURCE_ERRORS = [...PUBLISH_ERRORS, 'unknown_source', 'unmatched_event'] as const satisfies readonly ErrorCode[];

const VERSIONS_ERRORS = [
  ...CREDENTIAL_ERRORS,
  'invalid_topic',
  'too_many_topics',
] as const satisfies readonly ErrorCode[];

const RECEIPTS_ERRORS = [
  ...CREDENTIAL_ERRORS,
  'invalid_topic',
  'unknown_update',
  'too_many_waiting',
] as const satisfies readonly ErrorCode[];

/** Errors of paths and methods that no operation describes. */
const ROUTE_ERRORS = ['not_found', 'method_not_allowed'] as const satisfies readonly ErrorCode[];

const WAIT_PARAMETERS = [
  queryParameter('wait', { const: 'delivered' }, 'Responds once every relay has delivered the updates.'),
  queryParameter('timeout', { type: 'string', pattern: '^[0-9]+(ms|s)$', default: '5s' }, 'From 100ms to 30s.'),
];

const TOPICS_PARAMETER = queryParameter(
  'topic',
  { type: 'array', items: schemaRef('Topic'), maxItems: MAX_TOPICS_PER_REQUEST },
  'May be repeated.',
);

const TOPIC_CALL_PARAMETERS = [
  TOPICS_PARAMETER,
  queryParameter('data', { const: 'body' }, 'The body is JSON, and becomes the `data` of the update.'),
  queryParameter('spread', { ...SPREAD_SCHEMA, maximum: MAX_REQUESTED_SPREAD_MS }, 'As `spread` in the body.'),
  ...WAIT_PARAMETERS,
];

/**
 * Returns the description of this service in OpenAPI 3.1.
 * @param options.legacy whether `/update_webhook.cgi` is served
 */
export function webhookOpenApi(options: { legacy: boolean }): Json {
  return openApiDocument({
    title: 'Heliograph webhook',
    description:
      'Publishes updates of topics. A call with a bearer token, or signed after Standard Webhooks. ' +
      'Other paths get 404 `not_found`, other methods 405 `method_not_allowed`.',
    paths: {
      '/webhook': { post: publishOperation() },
      '/webhook/{topic}': { post: topicOperation() },
      '/hooks/{name}': { post: sourceOperation('deliver', [pathParameter('name', { type: 'string' })]) },
      '/hooks/{name}/{token}': {
        post: sourceOperation('deliverWithToken', [
          pathParameter('name', { type: 'string' }),
          pathParameter('token', { type: 'string' }),
        ]),
      },
      '/updates/current': getAndHead({
        operationId: 'getVersions',
        summary: 'The current version of each topic',
        parameters: [{ ...TOPICS_PARAMETER, required: true }],
        security: SECURITY,
        responses: {
          200: jsonResponse('In the order of the topics.', schemaRef('Versions')),
          ...problemResponses(VERSIONS_ERRORS),
        },
      }),
      '/updates/{version}': getAndHead({
        operationId: 'getReceipts',
        summary: 'The delivery receipts of an update',
        parameters: [
          pathParameter('version', schemaRef('Version')),
          { ...queryParameter('topic', schemaRef('Topic'), 'The topic of the update.'), required: true },
        ],
        security: SECURITY,
        responses: {
          200: jsonResponse('The state of the update on every relay.', schemaRef('UpdateReceipt')),
          ...problemResponses(RECEIPTS_ERRORS),
        },
      }),
      ...(options.legacy ? { '/update_webhook.cgi': legacyOperations() } : {}),
      ...healthPaths({ adminPort: 9102 }),
      ...openApiPaths(WEBHOOK_OPENAPI_PATH),
    },
    components: { schemas: SCHEMAS, securitySchemes: SECURITY_SCHEMES, responses: ROUTE_RESPONSES },
  });
}

function publishOperation(): Json {
  return {
    operationId: 'publish',
    summary: 'Publishes the topics of its body, or of the parameter `topic` if it has one',
    parameters: TOPIC_CALL_PARAMETERS,
    security: SECURITY,
    requestBody: {
      description: 'With the parameter `topic`, the body may be anything.',
      content: { 'application/json': { schema: schemaRef('PublishBody') }, '*/*': {} },
    },
    responses: { ...PUBLISHED, ...problemResponses(CALL_ERRORS) },
  };
}

function topicOperation(): Json {
  return {
    operationId: 'publishTopic',
    summary: 'Publishes the topics of its URL, whatever the body is',
    parameters: [pathParameter('topic', schemaRef('Topic')), ...TOPIC_CALL_PARAMETERS],
    security: SECURITY,
    requestBody: { content: { '*/*': {} } },
    responses: { ...PUBLISHED, ...problemResponses(CALL_ERRORS) },
  };
}

function sourceOperation(operationId: string, parameters: readonly Json[]): Json {
  return {
    operationId,
    summary: 'Publishes what a source delivers, verified as its sender signs',
    parameters,
    security: [],
    requestBody: { content: { '*/*': {} } },
    responses: { 200: PUBLISHED[200], ...problemResponses(SOURCE_ERRORS) },
  };
}

function legacyOperations(): Json {
  const operation = (operationId: string) => ({
    operationId,
    summary: 'Publishes the default topic (legacy)',
    security: [],
    responses: {
      200: { description: 'Published.', content: { 'text/plain': { schema: { const: 'OK' } } } },
      ...problemResponses(['broker_unavailable', 'not_replicated']),
    },
  });
  return { get: operation('publishLegacyByGet'), post: operation('publishLegacy') };
}

function queryParameter(name: string, schema: Json, description: string): Json {
  return { name, in: 'query', schema, description };
}

function pathParameter(name: string, schema: Json): Json {
  return { name, in: 'path', required: true, schema };
}

const PUBLISHED = {
  200: jsonResponse('Published; with `wait=delivered`, delivered by every relay.', schemaRef('Published')),
  202: jsonResponse(
    'Published, but not delivered by every relay within `timeout`.',
    schemaRef('PublishedWithReceipts'),
  ),
};

/** A token, or the three headers of a signed call. */
const SECURITY = [{ token: [] }, { webhookId: [], webhookTimestamp: [], webhookSignature: [] }];

const SECURITY_SCHEMES = {
  token: { type: 'http', scheme: 'bearer' },
  webhookId: { type: 'apiKey', in: 'header', name: 'webhook-id' },
  webhookTimestamp: { type: 'apiKey', in: 'header', name: 'webhook-timestamp' },
  webhookSignature: { type: 'apiKey', in: 'header', name: 'webhook-signature' },
};

const ROUTE_RESPONSES = Object.fromEntries(
  Object.entries(problemResponses(ROUTE_ERRORS))
    .filter(([status]) => ROUTE_ERRORS.some((code) => String(ERRORS[code].status) === status))
    .map(([status, response]) => [`Status${status}`, response]),
);

const count = { type: 'integer', minimum: 0 };
const requestedSpread = { ...SPREAD_SCHEMA, maximum: MAX_REQUESTED_SPREAD_MS };
const receipts = { delivered: { type: 'boolean' }, receipts: { type: 'array', items: schemaRef('UpdateReceipt') } };
const updates = { updates: { type: 'array', items: schemaRef('PublishedTopic') } };
const missing = {
  missing: {
    type: 'integer',
    minimum: 1,
    description: 'Relays that may be missing in the answer: Redis has just lost its data, or none is registered.',
  },
};

const SCHEMAS = {
  Topic: TOPIC_SCHEMA,
  Version: VERSION_SCHEMA,
  PublishRequest: {
    type: 'object',
    oneOf: [{ required: ['topic'] }, { required: ['topics'] }],
    properties: {
      topic: schemaRef('Topic'),
      topics: { type: 'array', items: schemaRef('Topic'), minItems: 1 },
      data: { description: 'A full snapshot of the topic: any JSON value.' },
      spread: requestedSpread,
    },
    additionalProperties: false,
  },
  PublishBody: {
    oneOf: [
      schemaRef('PublishRequest'),
      {
        ...objectSchema({ updates: { type: 'array', items: schemaRef('PublishRequest'), minItems: 1, maxItems: 100 } }),
        additionalProperties: false,
      },
    ],
  },
  PublishedTopic: objectSchema(
    { topic: schemaRef('Topic'), version: schemaRef('Version') },
    { previous: schemaRef('Version') },
  ),
  Published: objectSchema(updates, { ...receipts, ...missing }),
  PublishedWithReceipts: objectSchema({ ...updates, ...receipts }, missing),
  UpdateReceipt: objectSchema(
    {
      topic: schemaRef('Topic'),
      version: schemaRef('Version'),
      delivered: { type: 'boolean' },
      relays: { type: 'array', items: schemaRef('RelayReceipt') },
    },
    missing,
  ),
  RelayReceipt: objectSchema(
    { relay: { type: 'string' }, state: { enum: ['delivered', 'idle', 'pending', 'silent'] } },
    { version: schemaRef('Version'), told: count, listening: count, behind: count },
  ),
  Versions: objectSchema({
    versions: {
      type: 'array',
      items: objectSchema({ topic: schemaRef('Topic'), version: schemaRef('Version') }),
    },
  }),
  Problem: problemSchema([
    ...ERRORS_OF_EVERY_REQUEST,
    ...CALL_ERRORS,
    ...SOURCE_ERRORS,
    ...RECEIPTS_ERRORS,
    ...ROUTE_ERRORS,
  ]),
};
