import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
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
  /**
   * Returns whether one of the signatures of the body was made with this secret. Computes one HMAC, compares in constant
   * time, and does not check the age of the timestamp.
   */
  verifies(body: Buffer, headers: SignatureHeaders): boolean;
}

/** The parsed headers of a signed call. */
export interface SignatureHeaders {
  readonly id: string;
  readonly timestamp: string;
  /** SHA-256 HMACs, at least one. */
  readonly signatures: readonly Buffer[];
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
  const base64 = parseSecretKey(secret);
  const mayPublish = topics === undefined ? () => true : parseTopicPatterns(topics.split('|'));
  if (base64 === undefined || !mayPublish) return undefined;
  const key = Buffer.from(base64, 'base64');
  return {
    id: fingerprint(base64),
    mayPublish,
    verifies(body, { id, timestamp, signatures }) {
      const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
      // All are compared every time, so that the duration does not reveal which one matched.
      return signatures.filter((signature) => timingSafeEqual(signature, expected)).length > 0;
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
