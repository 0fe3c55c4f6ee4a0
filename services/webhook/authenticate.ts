import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../shared/errors.ts';
import { parseBearerToken } from '../shared/protocol/bearer-token.ts';
import type { Credential, SigningCredential, TokenCredential } from './credential.ts';

/** How old a signed call may be, and how far ahead its clock, in seconds. */
const MAX_AGE_S = 300;
const MAX_AHEAD_S = 60;

const MAX_SIGNATURE_LENGTH = 2048;

/** Looks at the raw bytes of a body, once they have come, and says who sent them. Throws `invalid_signature`. */
export type VerifyBody = (body: Buffer) => Credential;

/**
 * Creates the check of who calls, in two steps. The first looks at the headers alone, so that a call without
 * credentials costs no body: a bearer token, or the three headers of Standard Webhooks
 * (https://www.standardwebhooks.com, section "verifying webhook authenticity"). The second has the raw bytes.
 * Throws `unauthorized`, `invalid_webhook_id`, `invalid_timestamp` or `invalid_signature`.
 */
export function createAuthenticate(deps: {
  secrets: readonly SigningCredential[];
  tokens: readonly TokenCredential[];
  nowMs: () => number;
}): (headers: IncomingHttpHeaders) => VerifyBody {
  const { secrets, tokens, nowMs } = deps;

  function byToken(authorization: string): VerifyBody {
    const token = parseBearerToken(authorization);
    if (token === undefined) throw new AppError('unauthorized');
    // All are compared each time, so that the time it takes does not tell which one matched.
    const [credential] = tokens.filter((candidate) => candidate.matches(token));
    if (!credential) throw new AppError('unauthorized');
    return () => credential;
  }

  return (headers) => {
    if (headers.authorization !== undefined) return byToken(headers.authorization);
    const [timestamp, signature] = [headers['webhook-timestamp'], headers['webhook-signature']];
    const id = readWebhookId(headers);
    if (id === undefined || typeof timestamp !== 'string' || typeof signature !== 'string') {
      throw new AppError('unauthorized');
    }
    checkTimestamp(timestamp, nowMs());
    // A header that came twice is joined by a comma and a space, which no list of signatures holds.
    if (signature.length > MAX_SIGNATURE_LENGTH || signature.includes(', ')) throw new AppError('invalid_signature');
    return (body) => {
      const [credential] = secrets.filter((secret) => secret.verifies(body, { id, timestamp, signature }));
      if (!credential) throw new AppError('invalid_signature');
      return credential;
    };
  };
}

/** Reads `webhook-id`; undefined where there is none. Throws `invalid_webhook_id`. */
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
