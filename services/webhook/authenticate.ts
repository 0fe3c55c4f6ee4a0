import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../shared/errors.ts';
import { parseBearerToken } from '../shared/protocol/bearer-token.ts';
import type { Credential, SigningCredential, TokenCredential } from './credential.ts';
import type { FailureLimit, PublisherRequest } from './failure-limit.ts';

/** Limits of the timestamp of a signed call, in seconds before and after the current time. */
const MAX_AGE_S = 300;
const MAX_AHEAD_S = 60;

const MAX_SIGNATURE_LENGTH = 2048;

const MISMATCH =
  'No secret of WEBHOOK_SECRETS gives this signature for "<webhook-id>.<webhook-timestamp>.<body>" with the body as it was sent';

/** One signature of a list, and a whole list (Standard Webhooks): signatures of other versions than `v1` are ignored. */
const SIGNATURE = /^v1,([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/;
const SIGNATURE_LIST = /^v\d[a-z]?,[A-Za-z0-9+/]+={0,2}(?: v\d[a-z]?,[A-Za-z0-9+/]+={0,2})*$/;

/** Checks the headers of a call, before its body is read. Throws the errors of `createAuthenticate`. */
export type Authenticate = (request: PublisherRequest) => VerifyBody;

/** Verifies the raw bytes of a body, and returns the credential of the caller. Throws `invalid_signature`. */
export type VerifyBody = (body: Buffer) => Credential;

/**
 * Creates the authentication of publishers. It has two steps: the first checks the headers alone, so that the body of a
 * call without credentials is never read; the second verifies the body. A call has a bearer token, or the three headers of
 * Standard Webhooks (https://www.standardwebhooks.com, section "verifying webhook authenticity").
 *
 * The steps throw `AppError` with `unauthorized`, `invalid_webhook_id`, `invalid_timestamp`, `invalid_signature`, or
 * `rate_limited` after too many wrong signatures from an address.
 *
 * @param deps.failures counts wrong signatures
 * @param deps.nowMs returns the wall-clock time, with which timestamps are compared
 */
export function createAuthenticate(deps: {
  secrets: readonly SigningCredential[];
  tokens: readonly TokenCredential[];
  failures: FailureLimit;
  nowMs: () => number;
}): Authenticate {
  const { secrets, tokens, failures, nowMs } = deps;

  function byToken(authorization: string): VerifyBody {
    const token = parseBearerToken(authorization);
    if (token === undefined) throw new AppError('unauthorized', 'The header Authorization must be "Bearer <token>"');
    // All are compared every time, so that the duration does not reveal which one matched.
    const [credential] = tokens.filter((candidate) => candidate.matches(token));
    if (!credential) throw new AppError('unauthorized', 'WEBHOOK_TOKENS does not have this token');
    return () => credential;
  }

  return (request) => {
    const { headers } = request;
    const [timestamp, signature] = [headers['webhook-timestamp'], headers['webhook-signature']];
    // A gateway on the way may have added an `Authorization` header of its own to a signed call.
    if (signature === undefined && headers.authorization !== undefined) return byToken(headers.authorization);
    const id = readWebhookId(headers);
    if (id === undefined || typeof timestamp !== 'string' || typeof signature !== 'string') {
      throw new AppError('unauthorized', adviceFor(headers));
    }
    checkTimestamp(timestamp, nowMs());
    const signatures = parseSignatures(signature);
    if (signatures.length === 0) {
      throw new AppError('invalid_signature', 'The header webhook-signature must be v1,<base64 of a SHA-256 HMAC>');
    }
    failures.check(request);
    return (body) => {
      const [credential] = secrets.filter((secret) => secret.verifies(body, { id, timestamp, signatures }));
      if (credential) return credential;
      failures.count(request);
      throw new AppError('invalid_signature', MISMATCH);
    };
  };
}

/**
 * Reads the `webhook-id` header; undefined if it is missing.
 *
 * @throws {AppError} invalid_webhook_id
 */
export function readWebhookId(headers: IncomingHttpHeaders): string | undefined {
  const id = headers['webhook-id'];
  if (id === undefined) return undefined;
  if (typeof id !== 'string' || !/^[\x21-\x7e]{1,256}$/.test(id)) throw new AppError('invalid_webhook_id');
  return id;
}

/** Parses a list of signatures; empty if its format is invalid or it has none of version 1. */
export function parseSignatures(text: string): readonly Buffer[] {
  if (text.length > MAX_SIGNATURE_LENGTH || !SIGNATURE_LIST.test(text)) return [];
  return text.split(' ').flatMap((item) => {
    const signature = SIGNATURE.exec(item)?.[1];
    return signature === undefined ? [] : [Buffer.from(signature, 'base64')];
  });
}

/**
 * Checks the timestamp of a signature, in seconds.
 *
 * @throws {AppError} invalid_timestamp
 */
export function checkTimestamp(text: string, nowMs: number): void {
  const ageS = /^[1-9]\d{0,11}$/.test(text) ? nowMs / 1000 - Number(text) : Number.NaN;
  if (ageS <= MAX_AGE_S && ageS >= -MAX_AHEAD_S) return;
  const limits = `it must be in seconds, at most ${MAX_AGE_S} s old and ${MAX_AHEAD_S} s ahead of the clock of the webhook`;
  throw new AppError(
    'invalid_timestamp',
    Number.isNaN(ageS)
      ? `The timestamp has another form; ${limits}`
      : `The timestamp is ${Math.round(ageS)} s old; ${limits}`,
  );
}

/** Senders with a signature of another form, by the header that has it. */
const OTHER_SENDERS: Readonly<Record<string, string>> = {
  'x-hub-signature-256': 'GitHub',
  'stripe-signature': 'Stripe',
  'x-shopify-hmac-sha256': 'Shopify',
  'svix-signature': 'Svix',
};

/** Returns what the sender of a call without credentials has to change. */
function adviceFor(headers: IncomingHttpHeaders): string {
  const sender = Object.keys(OTHER_SENDERS).find((name) => headers[name] !== undefined);
  const advice = 'Send "Authorization: Bearer <token>", or sign the call after Standard Webhooks';
  if (sender === undefined) return `${advice}; senders with another form need a source in WEBHOOK_SOURCES`;
  return `${advice}; deliveries of ${OTHER_SENDERS[sender]} go to /hooks/<name>, for a source in WEBHOOK_SOURCES`;
}
