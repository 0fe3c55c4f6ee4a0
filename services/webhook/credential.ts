import { createHash, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { parseSecretKey } from '../shared/protocol/signing-secret.ts';
import { parseTopicPatterns, type TopicPattern } from '../shared/update/topic-pattern.ts';

/** A credential of a publisher, without the secret itself. */
export interface Credential {
  /** The same in every process; reveals nothing about the secret. */
  readonly id: string;
  /** Returns whether the credential permits publishing a topic. */
  readonly mayPublish: TopicPattern;
}

/** A secret with which publishers sign their calls. */
export interface SigningCredential extends Credential {
  /** Returns whether the signature of the body was made with this secret. Does not check the age of the timestamp. */
  verifies(body: Buffer, headers: { id: string; timestamp: string; signature: string }): boolean;
}

/** A bearer token. */
export interface TokenCredential extends Credential {
  /** Returns whether this is the token. Takes the same time for every token. */
  matches(token: string): boolean;
}

/**
 * Parses `whsec_<base64>`, or `whsec_<base64>@<pattern>|<pattern>` for a secret that permits only those topics (exact
 * names, or prefixes followed by `*`). Returns undefined if the text is invalid, or the secret has less than 24 bytes.
 */
export function parseSigningSecret(text: string): SigningCredential | undefined {
  const [, secret = '', topics] = /^([^@]*)(?:@(.*))?$/.exec(text) ?? [];
  const key = parseSecretKey(secret);
  const mayPublish = topics === undefined ? () => true : parseTopicPatterns(topics.split('|'));
  if (key === undefined || !mayPublish) return undefined;
  let webhook: Webhook;
  try {
    webhook = new Webhook(key);
  } catch {
    return undefined;
  }
  return {
    id: fingerprint(key),
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

/** Creates the credential of a bearer token. It compares digests of equal length, in constant time. */
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
