import { createPublicKey, type KeyObject } from 'node:crypto';
import type { EnvReader } from '../../shared/config/env-reader.ts';
import { parseTopicPatterns, type TopicPattern } from '../../shared/update/topic-pattern.ts';
import { type OriginConfig, parseOriginRule } from './origins.ts';

/** The keys that verify the tokens of subscribers. */
export type TokenKeys =
  | { readonly kind: 'secret'; readonly secret: Uint8Array }
  | { readonly kind: 'public'; readonly key: KeyObject }
  | { readonly kind: 'url'; readonly url: string };

/** The settings of subscription control. */
export interface SubscribeConfig {
  /** `none`: every client may subscribe to every topic. `optional`: private topics need a token. `required`: all topics do. */
  readonly auth: 'none' | 'optional' | 'required';
  readonly keys: TokenKeys | undefined;
  /** The `aud` and `iss` that tokens must have, if set. */
  readonly audience: string | undefined;
  readonly issuer: string | undefined;
  /** The longest time that a token may still be valid, in milliseconds; Infinity for no limit, also for tokens without `exp`. */
  readonly maxAgeMs: number;
  readonly isPrivate: TopicPattern;
}

/** RFC 7518, section 3.2: a key of HS256 has at least as many bits as its hash. */
const MIN_SECRET_BYTES = 32;
/** RFC 7518, section 3.3. */
const MIN_RSA_BITS = 2048;
/** The curves of ES256, ES384 and ES512. */
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1'];
const MAX_TOKEN_AGE_MS = 10 * 365 * 24 * 3_600_000;

/** Reads the settings of subscription control. */
export function readSubscribeConfig(env: EnvReader): SubscribeConfig {
  const auth = env.oneOf('SUBSCRIBE_AUTH', ['none', 'optional', 'required'], 'none');
  const keys = readKeys(env);
  const patterns = env.list('PRIVATE_TOPICS');
  const isPrivate = parseTopicPatterns(patterns);
  if (!isPrivate) env.fail('PRIVATE_TOPICS', 'must hold topics, or prefixes of topics followed by *');
  if (auth !== 'none' && keys === undefined) {
    env.fail('SUBSCRIBE_AUTH', 'needs one of JWT_SECRET, JWT_PUBLIC_KEY and JWKS_URL: without keys no token is valid');
  }
  if (auth === 'none' && patterns.length > 0) {
    env.fail('PRIVATE_TOPICS', 'needs SUBSCRIBE_AUTH=optional or required: otherwise no topic is private');
  }
  return Object.freeze({
    auth,
    keys,
    audience: env.optional('JWT_AUDIENCE'),
    issuer: env.optional('JWT_ISSUER'),
    maxAgeMs: env.durationMs('JWT_MAX_AGE', { default: '0s', maxMs: MAX_TOKEN_AGE_MS }) || Number.POSITIVE_INFINITY,
    isPrivate: isPrivate ?? (() => true),
  });
}

/** Reads the origins whose pages may connect. */
export function readOriginConfig(env: EnvReader): OriginConfig {
  const rules = env.list('ALLOWED_ORIGINS').map(parseOriginRule);
  const allowed = rules.filter((rule) => rule !== undefined);
  if (allowed.length < rules.length) {
    env.fail(
      'ALLOWED_ORIGINS',
      'must hold origins such as https://example.org, https://*.example.org, capacitor://localhost or null, or *',
    );
  }
  return Object.freeze({
    allowed: Object.freeze(allowed),
    sameHostOnly: env.string('NODE_ENV', '') === 'production',
    allowMissing: env.boolean('ALLOW_NO_ORIGIN', true),
  });
}

function readKeys(env: EnvReader): TokenKeys | undefined {
  const [secret, pem, url] = [env.optional('JWT_SECRET'), env.multiline('JWT_PUBLIC_KEY'), env.optional('JWKS_URL')];
  if ([secret, pem, url].filter((value) => value !== undefined).length > 1) {
    env.fail('JWT_SECRET', 'must not be set together with JWT_PUBLIC_KEY or JWKS_URL, nor both of those');
  }
  if (secret !== undefined) {
    const bytes = new TextEncoder().encode(secret);
    if (bytes.length < MIN_SECRET_BYTES) env.fail('JWT_SECRET', `must have at least ${MIN_SECRET_BYTES} bytes`);
    return { kind: 'secret', secret: bytes };
  }
  if (pem !== undefined) return readPublicKey(env, pem);
  if (url === undefined) return undefined;
  return { kind: 'url', url: env.url('JWKS_URL', { default: '' }) };
}

function readPublicKey(env: EnvReader, pem: string): TokenKeys | undefined {
  const key = parsePublicKey(pem);
  if (!key) env.fail('JWT_PUBLIC_KEY', 'must be a public key as PEM (line breaks may be written \\n)');
  else if (!verifiesTokens(key)) {
    env.fail(
      'JWT_PUBLIC_KEY',
      `must be an RSA key of at least ${MIN_RSA_BITS} bits, an EC key (P-256, P-384 or P-521), or an Ed25519 key: no others verify tokens`,
    );
  } else return { kind: 'public', key };
  return undefined;
}

function parsePublicKey(pem: string): KeyObject | undefined {
  try {
    // Many tools cannot pass line breaks in environment variables.
    const text = pem.replaceAll('\\n', '\n');
    return text.includes('PRIVATE KEY') ? undefined : createPublicKey(text);
  } catch {
    return undefined;
  }
}

function verifiesTokens({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  if (type === 'rsa') return (details?.modulusLength ?? 0) >= MIN_RSA_BITS;
  return type === 'ec' ? CURVES.includes(details?.namedCurve) : type === 'ed25519';
}
