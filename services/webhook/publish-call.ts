import type { Request } from 'express';
import { AppError } from '../shared/errors.ts';
import { queryParameters } from '../shared/express/query-parameters.ts';
import { BodyReader, decodeUtf8, requireMediaType } from '../shared/http/read-body.ts';
import { type PublishRequest, parseData, parsePublishBody } from '../shared/protocol/publish-request.ts';
import type { JsonMember, JsonText } from '../shared/update/json-text.ts';
import { type Authenticate, readWebhookId } from './authenticate.ts';
import type { Credential } from './credential.ts';
import { parseWaitParameters } from './wait-parameters.ts';

/** The largest body of `POST /webhook`, and the most `data` of an update, in bytes. */
export const MAX_DATA_BYTES = 64 * 1024;

const HINT = '; POST /webhook/<topic> publishes whatever the body is';

/** A call of an authenticated publisher. */
export interface PublishCall {
  readonly credential: Credential;
  /** When the verification of its body began, in milliseconds of the monotonic clock. */
  readonly verifiedFromMs: number;
  /**
   * Parses the call, which is not done before its rate is limited.
   *
   * @throws {AppError} for everything that the sender can correct
   */
  parse(): ParsedCall;
}

/** What a call publishes, each topic once, and how. */
export interface ParsedCall {
  readonly requests: readonly PublishRequest[];
  /** The idempotency key, unique for each credential; undefined if the call has none. */
  readonly webhookId: string | undefined;
  /** What a repetition of the call must have in common with it. */
  readonly identity: Uint8Array;
  /** How long to wait for delivery; undefined if the call does not wait. */
  readonly wait: { readonly timeoutMs: number } | undefined;
}

/** Authenticates a request, and receives its body. Throws the errors of `Authenticate` and `BodyReader`. */
export type ReadCall = (request: Request) => Promise<PublishCall>;

/** Creates the reader of `POST /webhook`, whose body is a publish request in JSON. */
export function createReadPublishCall(deps: { authenticate: Authenticate }): ReadCall {
  const bodies = new BodyReader({ maxBytes: MAX_DATA_BYTES });
  return async (request) => {
    const verify = deps.authenticate(request);
    requireMediaType(request.headers, ['application/json'], HINT);
    const raw = await bodies.read(request);
    const verifiedFromMs = performance.now();
    return {
      credential: verify(raw),
      verifiedFromMs,
      parse: () => ({
        requests: parsePublishBody(decodeUtf8(raw)),
        webhookId: readWebhookId(request.headers),
        identity: raw,
        wait: parseWaitParameters(queryParameters(request)),
      }),
    };
  };
}

/**
 * Checks nesting and size of `data` that is a part of a larger body; undefined without data.
 *
 * @throws {AppError} invalid_request or body_too_large
 */
export function limitData(member: JsonMember | undefined): JsonText | undefined {
  const data = parseData(member);
  if (data !== undefined && Buffer.byteLength(data) > MAX_DATA_BYTES) {
    throw new AppError('body_too_large', `data is larger than ${MAX_DATA_BYTES / 1024} KiB`);
  }
  return data;
}
