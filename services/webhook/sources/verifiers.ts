import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../shared/errors.ts';
import { parseSecretKey } from '../../shared/protocol/signing-secret.ts';
import { checkTimestamp, parseSignatures, readWebhookId } from '../authenticate.ts';

/** The part of a delivery that is known before its body is read. */
export interface DeliveryHead {
  readonly headers: IncomingHttpHeaders;
  /** What follows the name of the source in the path; undefined if nothing does. */
  readonly token: string | undefined;
  readonly nowMs: number;
}

/** The result of checking a head: final, or to be completed with the body. */
export type HeadCheck = boolean | ((body: Buffer) => boolean);

/** Verifies the deliveries of one source. */
export interface Verifier {
  /**
   * Checks the head of a delivery, including the format of its signature.
   *
   * @throws {AppError} unauthorized, invalid_signature, invalid_timestamp, with what the sender has to change
   */
  check(head: DeliveryHead): HeadCheck;
  /** Returns the sender's id of a delivery, which repeated deliveries share; undefined if it has none. */
  deliveryId(headers: IncomingHttpHeaders, event: unknown): string | undefined;
}

/** A way to verify deliveries. */
export interface VerifierKind {
  /** What its secrets must be, for messages. */
  readonly secretRule: string;
  isSecret(text: string): boolean;
  create(secrets: readonly string[]): Verifier;
}

const TEXT_RULE = 'at least 16 characters of printable ASCII';
const isText = (text: string) => /^[\x20-\x7e]{16,}$/.test(text);

function header(headers: IncomingHttpHeaders, ...names: readonly string[]): string | undefined {
  const value = names.map((name) => headers[name]).find((found) => found !== undefined);
  return value === undefined ? undefined : String(value);
}

function required(headers: IncomingHttpHeaders, names: readonly string[], hint: string): string {
  const value = header(headers, ...names);
  if (value === undefined) throw new AppError('unauthorized', `The header ${names[0]} is missing: ${hint}`);
  return value;
}

/** Returns whether one of the signatures is the HMAC with one of the keys. Compares all of them, in constant time. */
function isSigned(
  keys: readonly Buffer[],
  signatures: readonly Buffer[],
  parts: readonly (string | Buffer)[],
): boolean {
  const expected = keys.map((key) => {
    const hmac = createHmac('sha256', key);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  });
  return expected.flatMap((digest) => signatures.filter((signature) => timingSafeEqual(signature, digest))).length > 0;
}

/** Parses a SHA-256 HMAC. */
function parseHmac(text: string, encoding: 'hex' | 'base64'): Buffer {
  const pattern = encoding === 'hex' ? /^[0-9a-f]{64}$/i : /^[A-Za-z0-9+/]{43}=$/;
  if (!pattern.test(text)) throw new AppError('invalid_signature', `A signature must be a SHA-256 HMAC in ${encoding}`);
  return Buffer.from(text, encoding);
}

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Returns whether a text is one of the secrets. Compares digests of all of them, in constant time. */
function isOneOf(secrets: readonly Buffer[], text: string): boolean {
  return secrets.filter((secret) => timingSafeEqual(secret, digest(text))).length > 0;
}

/** Standard Webhooks (https://www.standardwebhooks.com), also under the header names of Svix. */
const STANDARD: VerifierKind = {
  secretRule: 'whsec_<base64> of at least 24 bytes',
  isSecret: (text) => parseSecretKey(text) !== undefined,
  create(secrets) {
    const keys = secrets.map((secret) => Buffer.from(parseSecretKey(secret) ?? '', 'base64'));
    const hint = 'sign deliveries after Standard Webhooks';
    return {
      check({ headers, nowMs }) {
        const id = required(headers, ['webhook-id', 'svix-id'], hint);
        const timestamp = required(headers, ['webhook-timestamp', 'svix-timestamp'], hint);
        const signatures = parseSignatures(required(headers, ['webhook-signature', 'svix-signature'], hint));
        checkTimestamp(timestamp, nowMs);
        if (signatures.length === 0)
          throw new AppError('invalid_signature', 'A signature must have the form v1,<base64>');
        return (body) => isSigned(keys, signatures, [`${id}.${timestamp}.`, body]);
      },
      deliveryId: (headers) => header(headers, 'webhook-id', 'svix-id'),
    };
  },
};

/** A sender whose signature is an HMAC of the body alone. */
function signedBody(sender: {
  signature: readonly string[];
  parse(text: string): Buffer;
  deliveryId: readonly string[];
  hint: string;
}): VerifierKind {
  return {
    secretRule: TEXT_RULE,
    isSecret: isText,
    create(secrets) {
      const keys = secrets.map((secret) => Buffer.from(secret));
      return {
        check({ headers }) {
          const text = required(headers, sender.signature, sender.hint);
          const signatures = [sender.parse(text)];
          return (body) => isSigned(keys, signatures, [body]);
        },
        deliveryId: (headers) => header(headers, ...sender.deliveryId),
      };
    },
  };
}

const GITHUB = signedBody({
  signature: ['x-hub-signature-256'],
  parse: (text) => parseHmac(text.replace(/^sha256=/, ''), 'hex'),
  deliveryId: ['x-github-delivery'],
  hint: 'set the secret of the webhook at GitHub',
});

const SHOPIFY = signedBody({
  signature: ['x-shopify-hmac-sha256', 'shopify-hmac-sha256'],
  parse: (text) => parseHmac(text, 'base64'),
  deliveryId: ['x-shopify-webhook-id', 'shopify-webhook-id'],
  hint: 'this source takes webhooks of Shopify',
});

const STRIPE: VerifierKind = {
  secretRule: TEXT_RULE,
  isSecret: isText,
  create(secrets) {
    const keys = secrets.map((secret) => Buffer.from(secret));
    return {
      check({ headers, nowMs }) {
        const text = required(headers, ['stripe-signature'], 'this source takes events of Stripe');
        const items = text.split(',').map((item) => item.trim().split('=', 2));
        const valuesOf = (name: string) => items.flatMap(([key, value]) => (key === name && value ? [value] : []));
        const [timestamp = ''] = valuesOf('t');
        const signatures = valuesOf('v1').map((value) => parseHmac(value, 'hex'));
        checkTimestamp(timestamp, nowMs);
        if (signatures.length === 0) throw new AppError('invalid_signature', 'Stripe-Signature has no v1');
        return (body) => isSigned(keys, signatures, [`${timestamp}.`, body]);
      },
      deliveryId(_, event) {
        const { id } = Object(event) as { id?: unknown };
        return typeof id === 'string' ? id : undefined;
      },
    };
  },
};

/** HTTP Basic authentication (RFC 7617). */
const BASIC: VerifierKind = {
  secretRule: '<user>:<password> with a password of at least 16 characters of printable ASCII',
  isSecret: (text) => /^[\x20-\x39\x3b-\x7e]+:[\x20-\x7e]{16,}$/.test(text),
  create(secrets) {
    const digests = secrets.map(digest);
    return {
      check({ headers }) {
        const text = required(headers, ['authorization'], 'send user and password by HTTP Basic authentication');
        const base64 = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(text)?.[1];
        return base64 !== undefined && isOneOf(digests, Buffer.from(base64, 'base64').toString());
      },
      deliveryId: readWebhookId,
    };
  },
};

/** A token in the path, for senders that can only be given a URL. */
const TOKEN: VerifierKind = {
  secretRule: 'at least 16 of A-Z a-z 0-9 . _ ~ -',
  isSecret: (text) => /^[A-Za-z0-9._~-]{16,}$/.test(text),
  create(secrets) {
    const digests = secrets.map(digest);
    return {
      check({ token }) {
        if (token === undefined) throw new AppError('unauthorized', 'The path must end with the token of this source');
        return isOneOf(digests, token);
      },
      deliveryId: readWebhookId,
    };
  },
};

export const VERIFIERS: Readonly<Record<string, VerifierKind>> = {
  standard: STANDARD,
  github: GITHUB,
  stripe: STRIPE,
  shopify: SHOPIFY,
  basic: BASIC,
  token: TOKEN,
};
