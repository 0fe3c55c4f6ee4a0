import {
  getAndHead,
  healthPaths,
  type Json,
  jsonResponse,
  objectSchema,
  openApiDocument,
  openApiPaths,
  problemResponses,
  problemSchema,
  requiredHeader,
  SPREAD_SCHEMA,
  schemaRef,
  TOPIC_SCHEMA,
  VERSION_SCHEMA,
} from '../shared/contract/openapi.ts';
import type { ErrorCode } from '../shared/errors.ts';

/** The path of the relay's description that no other service has. */
export const RELAY_OPENAPI_PATH = '/relay/openapi.json';

/** Errors of any request. Input that is not HTTP is answered by the engine, in a form of its own. */
const ERRORS_OF_EVERY_REQUEST = ['host_forbidden'] as const satisfies readonly ErrorCode[];

const TOPIC_ERRORS = [
  ...ERRORS_OF_EVERY_REQUEST,
  'invalid_topic',
  'unauthorized',
  'topic_forbidden',
  'origin_forbidden',
  'too_many_connections',
  'relay_full',
  'connecting_too_fast',
  'keys_unavailable',
  'draining',
  'not_fresh',
  'internal_error',
] as const satisfies readonly ErrorCode[];

/** Errors of paths and methods that no operation describes. */
const ROUTE_ERRORS = ['not_found', 'method_not_allowed'] as const satisfies readonly ErrorCode[];

const ETAG = requiredHeader({ type: 'string', pattern: '^"[0-9]+"$', description: 'The version.' });

/** Returns the description of `/topics/` in OpenAPI 3.1. */
export function relayOpenApi(): Json {
  const inPath = { name: 'topic', in: 'path', required: true, schema: schemaRef('Topic') };
  const inQuery = { name: 'topic', in: 'query', required: true, schema: schemaRef('Topic') };
  return openApiDocument({
    title: 'Heliograph relay',
    description:
      'The registers of topics. `/asyncapi.json` describes `/ws` and `/events`. ' +
      'Other paths get 404 `not_found`, other methods 405 `method_not_allowed`.',
    paths: {
      '/topics/{topic}': topicPath('getTopic', inPath),
      '/topics/': topicPath('getTopicByQuery', inQuery),
      ...healthPaths({ adminPort: 9101 }),
      ...openApiPaths(RELAY_OPENAPI_PATH, ERRORS_OF_EVERY_REQUEST),
    },
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        tokenInQuery: { type: 'apiKey', in: 'query', name: 'token' },
      },
      responses: {
        NotFound: problemResponses(['not_found'], [])[404],
        MethodNotAllowed: problemResponses(['method_not_allowed'], [])[405],
      },
    },
  });
}

function topicPath(operationId: string, topic: Json): Json {
  return {
    ...getAndHead({
      operationId,
      summary: 'The register of a topic; waits for a newer version if the caller asks for that',
      parameters: [topic, IF_NONE_MATCH, PREFER],
      // Only private topics need a token.
      security: [{}, { token: [] }, { tokenInQuery: [] }],
      responses: {
        200: jsonResponse('The newest update of the topic.', schemaRef('Register'), { ETag: ETAG }),
        304: { description: 'The version of the caller is current.', headers: { ETag: ETAG } },
        ...problemResponses(TOPIC_ERRORS, []),
      },
    }),
    options: {
      operationId: `${operationId}Preflight`,
      summary: 'What pages of other origins may send',
      parameters: [topic],
      security: [],
      responses: {
        204: { description: 'With `Access-Control-Allow-Origin` if the origin is allowed.' },
        ...problemResponses(ERRORS_OF_EVERY_REQUEST, []),
      },
    },
  };
}

const IF_NONE_MATCH = {
  name: 'If-None-Match',
  in: 'header',
  schema: { type: 'string', examples: ['"1790000000000001"'] },
  description: 'The version that the caller has, or a list of versions.',
};

const PREFER = {
  name: 'Prefer',
  in: 'header',
  schema: { type: 'string', examples: ['wait=25'] },
  description: 'Seconds to wait for another version, at most 25 (RFC 7240).',
};

const SCHEMAS = {
  Topic: TOPIC_SCHEMA,
  Version: VERSION_SCHEMA,
  Register: objectSchema(
    { topic: schemaRef('Topic'), version: schemaRef('Version') },
    { data: { description: 'The content that was published: any JSON value.' }, spread: SPREAD_SCHEMA },
  ),
  Problem: problemSchema([...TOPIC_ERRORS, ...ROUTE_ERRORS]),
};
