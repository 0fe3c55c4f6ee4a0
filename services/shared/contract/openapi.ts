import { ERRORS, type ErrorCode } from '../errors.ts';
import { readPackageVersion } from '../package-version.ts';
import { PROBLEM_CONTENT_TYPE } from '../protocol/problem.ts';
import { TOPIC_PATTERN } from '../update/topic.ts';

/** The path of the description of a service, at its public port. Behind a proxy, services may share a host. */
export const OPENAPI_PATH = '/openapi.json';

/** A part of a description: plain JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** Errors of any request, whatever its path is: of HTTP itself, of another host, and defects. */
export const ERRORS_OF_EVERY_REQUEST = [
  'invalid_request',
  'host_forbidden',
  'request_timeout',
  'headers_too_large',
  'internal_error',
] as const satisfies readonly ErrorCode[];

export const TOPIC_SCHEMA = { type: 'string', pattern: TOPIC_PATTERN.source, examples: ['chat'] };

export const VERSION_SCHEMA = {
  type: 'integer',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Grows with every update of a topic.',
};

export const SPREAD_SCHEMA = {
  type: 'integer',
  minimum: 0,
  description: 'Milliseconds over which clients should spread their refetch.',
};

/** Returns the schema of an object that may have other members in later releases. */
export function objectSchema(required: Json, optional: Json = {}): Json {
  return { type: 'object', required: Object.keys(required), properties: { ...required, ...optional } };
}

/** Returns a reference to a named schema of the same description. */
export function schemaRef(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

/** Returns the schema of an error (RFC 9457) with one of these codes. */
export function problemSchema(codes: readonly ErrorCode[]): Json {
  return objectSchema(
    {
      type: { type: 'string', pattern: '^urn:heliograph:error:[a-z_]+$' },
      title: { type: 'string' },
      status: { enum: [...new Set(codes.map((code) => ERRORS[code].status))] },
      code: { enum: [...new Set(codes)] },
    },
    { detail: { type: 'string', description: 'What to change, where that is known.' } },
  );
}

/**
 * Returns the failed responses of an operation by their status.
 * @param always errors of every request to the service, by default those of a service on `node:http`
 */
export function problemResponses(
  codes: readonly ErrorCode[],
  always: readonly ErrorCode[] = ERRORS_OF_EVERY_REQUEST,
): Json {
  const all = [...new Set([...codes, ...always])];
  const statuses = [...new Set(all.map((code) => ERRORS[code].status))].sort();
  return Object.fromEntries(
    statuses.map((status) => {
      const ofStatus = all.filter((code) => ERRORS[code].status === status);
      return [
        status,
        {
          description: ofStatus.map((code) => `\`${code}\`: ${ERRORS[code].title}`).join('. '),
          ...(status === 429 || status === 503 ? { headers: { 'Retry-After': RETRY_AFTER } } : {}),
          ...(status === 401 ? { headers: { 'WWW-Authenticate': requiredHeader({ type: 'string' }) } } : {}),
          content: { [PROBLEM_CONTENT_TYPE]: { schema: problemSchema(ofStatus) } },
        },
      ];
    }),
  );
}

/** Returns a successful response in JSON. */
export function jsonResponse(description: string, schema: Json, headers: Json = {}): Json {
  return { description, headers, content: { 'application/json': { schema } } };
}

/** Returns the description of a header that every response of its kind has. */
export function requiredHeader(schema: Json): Json {
  return { required: true, schema };
}

const RETRY_AFTER = requiredHeader({ type: 'integer', minimum: 0, description: 'Seconds.' });

/** Returns the operation of HEAD: that of GET, whose responses have no body. */
export function headOf(get: Json): Json {
  const responses = Object.entries(get.responses as Readonly<Record<string, Json>>).map(([status, response]) => {
    const { content: _, ...head } = response;
    return [status, head];
  });
  return { ...get, operationId: `${get.operationId}Head`, responses: Object.fromEntries(responses) };
}

/** Returns GET and HEAD of a path. */
export function getAndHead(get: Json): Json {
  return { get, head: headOf(get) };
}

/**
 * Returns the path items of the description itself.
 * @param ownPath its path that no other service has
 * @param always as for `problemResponses`
 */
export function openApiPaths(ownPath: string, always?: readonly ErrorCode[]): Json {
  return {
    [OPENAPI_PATH]: openApiPath('getOpenApi', 'This description, unless another service answers at this host', always),
    [ownPath]: openApiPath('getOwnOpenApi', 'This description', always),
  };
}

function openApiPath(operationId: string, summary: string, always?: readonly ErrorCode[]): Json {
  return getAndHead({
    operationId,
    summary,
    security: [],
    responses: {
      200: jsonResponse('OpenAPI 3.1.', { type: 'object' }, { ETag: requiredHeader({ type: 'string' }) }),
      304: { description: 'The caller has this description (`If-None-Match`).' },
      ...problemResponses([], always),
    },
  });
}

/** Returns the path items of the health checks, which are on the admin port. */
export function healthPaths(options: { adminPort: number }): Json {
  const servers = [{ url: `http://localhost:${options.adminPort}`, description: 'The admin port' }];
  const readiness = objectSchema({
    ready: { type: 'boolean' },
    draining: { type: 'boolean' },
    conditions: { type: 'object', additionalProperties: { type: 'boolean' } },
  });
  return {
    '/livez': {
      servers,
      ...getAndHead({
        operationId: 'isAlive',
        summary: 'Whether the process is alive',
        security: [],
        responses: { 200: jsonResponse('It is.', objectSchema({ alive: { const: true } })), ...problemResponses([]) },
      }),
    },
    '/readyz': {
      servers,
      ...getAndHead({
        operationId: 'isReady',
        summary: 'Whether the process is ready for calls',
        security: [],
        responses: {
          200: jsonResponse('It is.', readiness),
          503: jsonResponse('It is not, or is about to stop.', readiness),
          ...problemResponses([]),
        },
      }),
    },
  };
}

/** Returns a description in OpenAPI 3.1. */
export function openApiDocument(options: { title: string; description: string; paths: Json; components: Json }): Json {
  const { title, description, paths, components } = options;
  return {
    openapi: '3.1.0',
    info: { title, version: readPackageVersion(), description, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/' }],
    paths,
    components,
  };
}
