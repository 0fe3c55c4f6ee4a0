/**
 * Every error that clients and publishers can receive, by its stable code, with its HTTP status and title (RFC 9457).
 * WebSocket clients get the code in an `error` message. A test compares this table with the documented one.
 */
export const ERRORS = {
  invalid_json: { status: 400, title: 'The body is not JSON' },
  invalid_message: { status: 400, title: 'The message does not have the documented format' },
  invalid_request: { status: 400, title: 'The request does not have the documented format' },
  unknown_member: { status: 400, title: 'The request has a member or parameter that does not exist' },
  invalid_topic: { status: 400, title: 'A topic must be 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : / -' },
  unknown_format: { status: 400, title: 'The stream does not have this format' },
  invalid_since: { status: 400, title: 'since must have one version for each topic' },
  too_many_topics: { status: 400, title: 'Too many topics' },
  invalid_comment: { status: 400, title: 'A comment must have a name and a text of the documented lengths' },
  invalid_webhook_id: { status: 400, title: 'webhook-id must be 1 to 256 characters of printable ASCII' },
  unauthorized: { status: 401, title: 'The credentials are missing or invalid' },
  invalid_signature: { status: 401, title: 'The signature does not match any secret' },
  invalid_timestamp: { status: 401, title: 'webhook-timestamp is invalid, too old or too far in the future' },
  topic_forbidden: { status: 403, title: 'These credentials do not permit access to this topic' },
  origin_forbidden: { status: 403, title: 'Requests from this origin are not allowed' },
  host_forbidden: { status: 403, title: 'Requests to this host name are not allowed' },
  not_found: { status: 404, title: 'No resource has this path' },
  unknown_source: { status: 404, title: 'No source has this name' },
  unknown_update: { status: 404, title: 'This topic has no update of this version, or it has expired' },
  method_not_allowed: { status: 405, title: 'This resource does not allow this method' },
  webhook_id_reused: { status: 409, title: 'This webhook-id was used with another body' },
  request_timeout: { status: 408, title: 'The request was not received in time' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'This resource does not accept this type of body' },
  unmatched_event: { status: 422, title: 'The event does not fit the topic template of its source' },
  too_many_connections: { status: 429, title: 'Too many connections from this address' },
  too_fast: { status: 429, title: 'Too many messages' },
  upgrade_required: { status: 426, title: 'This resource accepts WebSocket connections only' },
  unknown_type: { status: 400, title: 'The type of the message is unknown' },
  rate_limited: { status: 429, title: 'Too many calls with these credentials' },
  internal_error: { status: 500, title: 'An internal error occurred' },
  broker_unavailable: { status: 503, title: 'The broker cannot be reached; repeating the call is harmless' },
  too_many_bodies: { status: 503, title: 'Too many bodies are being received; repeating the call is harmless' },
  too_many_waiting: { status: 503, title: 'Too many calls are waiting for delivery' },
  call_in_progress: { status: 503, title: 'Another call with this webhook-id is in progress; repeat this one' },
  not_replicated: { status: 503, title: 'Too few replicas confirmed the update; repeating the call is harmless' },
  relay_full: { status: 503, title: 'This relay has reached its limit of connections or topics' },
  connecting_too_fast: { status: 503, title: 'Too many clients are connecting or subscribing at the moment' },
  keys_unavailable: { status: 503, title: 'The keys for verifying tokens are unavailable' },
  rebalancing: { status: 503, title: 'This relay has more than its share of connections; connect again at once' },
  draining: { status: 503, title: 'This relay is shutting down; reconnect to another one' },
  not_fresh: { status: 503, title: 'This relay is stale: it cannot confirm that its data is current' },
  settings_differ: { status: 503, title: 'This process and the cluster have different partitions or pub/sub modes' },
} as const satisfies Record<string, { status: number; title: string }>;

/** A stable error code. */
export type ErrorCode = keyof typeof ERRORS;

/** An error with a stable code. Its message, the detail or else the title, is shown to callers: it must contain no secret. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  /** Seconds after which the request may be repeated, as far as that is known. */
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions & { retryAfterS?: number }) {
    super(detail ?? ERRORS[code].title, options);
    this.retryAfterS = options?.retryAfterS;
    this.name = 'AppError';
    this.code = code;
    this.status = ERRORS[code].status;
  }
}

/** Returns an `AppError` as it is, and wraps any other error as `internal_error`, which reveals nothing of its cause. */
export function toAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError('internal_error', undefined, { cause: error });
}
