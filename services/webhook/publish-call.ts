import type { Request } from 'express';
import { queryParameters } from '../shared/express/query-parameters.ts';
import { BodyReader, decodeUtf8, requireMediaType } from '../shared/http/read-body.ts';
import { type PublishRequest, parsePublishRequest } from '../shared/protocol/publish-request.ts';
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

/** What a call publishes, and how. */
export interface ParsedCall {
  readonly request: PublishRequest;
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
        request: parsePublishRequest(decodeUtf8(raw)),
        webhookId: readWebhookId(request.headers),
        identity: raw,
        wait: parseWaitParameters(queryParameters(request)),
      }),
    };
  };
}
