import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../shared/errors.ts';
import { parseBearerToken } from '../shared/protocol/bearer-token.ts';
import type { Credential, SigningCredential, TokenCredential } from './credential.ts';

/** Limits of the timestamp of a signed call, in seconds before and after the current time. */
const MAX_AGE_S = 300;
const MAX_AHEAD_S = 60;

const MAX_SIGNATURE_LENGTH = 2048;

/** Checks the headers of a call, before its body is read. Throws the errors of `createAuthenticate`. */
export type Authenticate = (headers: IncomingHttpHeaders) => VerifyBody;

/** Verifies the raw bytes of a body, and returns the credential of the caller. Throws `invalid_signature`. */
export type VerifyBody = (body: Buffer) => Credential;

/**
 * Creates the authentication of publishers. It has two steps: the first checks the headers alone, so that the body of a
 * call without credentials is never read; the second verifies the body. A call has a bearer token, or the three headers of
 * Standard Webhooks (https://www.standardwebhooks.com, section "verifying webhook authenticity").
 *
 * The steps throw `AppError` with `unauthorized`, `invalid_webhook_id`, `invalid_timestamp` or `invalid_signature`.
 *
 * @param deps.nowMs returns the wall-clock time, with which timestamps are compared
 */
export function createAuthenticate(deps: {
  secrets: readonly SigningCredential[];
  tokens: readonly TokenCredential[];
  nowMs: () => number;
}): Authenticate {
  const { secrets, tokens, nowMs } = deps;

  function byToken(authorization: string): VerifyBody {
    const token = parseBearerToken(authorization);
    if (token === undefined) throw new AppError('unauthorized');
    // All are compared every time, so that the duration does not reveal which one matched.
    const [credential] = tokens.filter((candidate) => candidate.matches(token));
    if (!credential) throw new AppError('unauthorized');
    return () => credential;
  }

  return (headers) => {
    const [timestamp, signature] = [headers['webhook-timestamp'], headers['webhook-signature']];
    // A gateway on the way may have added an `Authorization` header of its own to a signed call.
    if (signature === undefined && headers.authorization !== undefined) return byToken(headers.authorization);
    const id = readWebhookId(headers);
    if (id === undefined || typeof timestamp !== 'string' || typeof signature !== 'string') {
      throw new AppError('unauthorized');
    }
    checkTimestamp(timestamp, nowMs());
    // Node joins repeated headers with a comma and a space, which a list of signatures never contains.
    if (signature.length > MAX_SIGNATURE_LENGTH || signature.includes(', ')) throw new AppError('invalid_signature');
    return (body) => {
      const [credential] = secrets.filter((secret) => secret.verifies(body, { id, timestamp, signature }));
      if (!credential) throw new AppError('invalid_signature');
      return credential;
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

function checkTimestamp(text: string, nowMs: number): void {
  const ageS = /^\d{1,12}$/.test(text) ? nowMs / 1000 - Number(text) : Number.NaN;
  if (!(ageS <= MAX_AGE_S && ageS >= -MAX_AHEAD_S)) throw new AppError('invalid_timestamp');
}
