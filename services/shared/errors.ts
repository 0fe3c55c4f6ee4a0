/**
 * Every error that leaves this software, by its stable code: the HTTP status it answers with and its
 * title (RFC 9457). WebSocket clients get the code in an `error` message. README's table is proved
 * against this one by a test.
 */
export const ERRORS = {
  invalid_json: { status: 400, title: 'The body is not JSON' },
  invalid_message: { status: 400, title: 'The message does not have the documented shape' },
  invalid_request: { status: 400, title: 'The request does not have the documented shape' },
  invalid_topic: { status: 400, title: 'A topic is 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : / -' },
  invalid_since: { status: 400, title: 'since is a list of versions, one a topic' },
  too_many_topics: { status: 400, title: 'Too many topics' },
  invalid_comment: { status: 400, title: 'A comment has a name and a text of documented lengths' },
  invalid_webhook_id: { status: 400, title: 'webhook-id is 1 to 256 characters of printable ASCII' },
  unauthorized: { status: 401, title: 'The credentials are missing or wrong' },
  invalid_signature: { status: 401, title: 'The signature was not made with a known secret' },
  invalid_timestamp: { status: 401, title: 'webhook-timestamp is missing, too old or too far ahead' },
  topic_forbidden: { status: 403, title: 'These credentials do not reach this topic' },
  origin_forbidden: { status: 403, title: 'Pages of this origin may not do this' },
  not_found: { status: 404, title: 'There is nothing here' },
  unknown_update: { status: 404, title: 'There is no such update of this topic, or not any more' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  webhook_id_reused: { status: 409, title: 'This webhook-id was used with another body' },
  request_timeout: { status: 408, title: 'The request took too long to come' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body is of a type that is not taken here' },
  too_many_connections: { status: 429, title: 'Too many connections from this address' },
  too_fast: { status: 429, title: 'Too many messages' },
  upgrade_required: { status: 426, title: 'Only WebSockets are served here' },
  unknown_type: { status: 400, title: 'The message is of an unknown type' },
  rate_limited: { status: 429, title: 'Too many calls with these credentials' },
  internal_error: { status: 500, title: 'Something went wrong here' },
  broker_unavailable: { status: 503, title: 'The broker cannot be reached; repeating the call is harmless' },
  too_many_waiting: { status: 503, title: 'Too many calls wait for relays at the moment' },
  not_replicated: { status: 503, title: 'Too few replicas have confirmed the update; repeating the call is harmless' },
  relay_full: { status: 503, title: 'This relay holds as many connections or topics as it may' },
  connecting_too_fast: { status: 503, title: 'Too many clients connect at the moment' },
  keys_unavailable: { status: 503, title: 'The keys that tokens are checked with cannot be read' },
  draining: { status: 503, title: 'This relay is going away; another one takes you' },
  not_fresh: { status: 503, title: 'This relay cannot vouch for what it knows at the moment' },
  settings_differ: { status: 503, title: 'This process and the cluster disagree on partitions or pub/sub mode' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** An error whose code is part of the contract. `detail` is for people and must hold no secret. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;

  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions) {
    super(detail ?? ERRORS[code].title, options);
    this.name = 'AppError';
    this.code = code;
    this.status = ERRORS[code].status;
  }
}

/** The error as one of the catalogue: what is none of ours is `internal_error`, which says nothing of the inside. */
export function toAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError('internal_error', undefined, { cause: error });
}
