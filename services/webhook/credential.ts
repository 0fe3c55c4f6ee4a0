import { createHash, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { parseTopicPatterns, type TopicPattern } from '../shared/update/topic-pattern.ts';

/** Somebody who may publish, without the secret itself. */
export interface Credential {
  /** The same on every process, and tells nothing about the secret. */
  readonly id: string;
  readonly mayPublish: TopicPattern;
}

/** A secret with which calls are signed. */
export interface SigningCredential extends Credential {
  /** Whether the signature of these bytes was made with this secret; does not look at the time. */
  verifies(body: Buffer, headers: { id: string; timestamp: string; signature: string }): boolean;
}

/** A token that comes along with calls. */
export interface TokenCredential extends Credential {
  matches(token: string): boolean;
}

/**
 * Reads `whsec_<base64>`, or `whsec_<base64>@<pattern>|<pattern>` for a secret that may publish only those
 * topics (exact names, or beginnings followed by `*`). undefined where it is neither.
 */
export function parseSigningSecret(text: string): SigningCredential | undefined {
  const match = /^whsec_([A-Za-z0-9+/]{16,}={0,2})(?:@(.+))?$/.exec(text);
  if (!match?.[1]) return undefined;
  const mayPublish = match[2] === undefined ? () => true : parseTopicPatterns(match[2].split('|'));
  if (!mayPublish) return undefined;
  let webhook: Webhook;
  try {
    webhook = new Webhook(match[1]);
  } catch {
    return undefined;
  }
  return {
    id: fingerprint(match[1]),
    mayPublish,
    verifies(body, { id, timestamp, signature }) {
      try {
        const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
        webhook.verify(body, headers, { jsonParse: false });
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** Makes a bearer token one. How long `matches` takes tells nothing about it: digests of one length are compared. */
export function createTokenCredential(token: string): TokenCredential {
  const digest = sha256(token);
  return {
    id: fingerprint(token),
    mayPublish: () => true,
    matches: (candidate) => timingSafeEqual(digest, sha256(candidate)),
  };
}

function fingerprint(secret: string): string {
  return sha256(`heliograph credential ${secret}`).toString('base64url').slice(0, 22);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
