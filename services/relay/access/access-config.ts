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
  readonly isPrivate: TopicPattern;
}

/** RFC 7518, section 3.2: a key of HS256 has at least as many bits as its hash. */
const MIN_SECRET_BYTES = 32;

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
  const [secret, pem, url] = [env.optional('JWT_SECRET'), env.optional('JWT_PUBLIC_KEY'), env.optional('JWKS_URL')];
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
  try {
    // Many tools cannot pass line breaks in environment variables.
    const text = pem.replaceAll('\\n', '\n');
    if (text.includes('PRIVATE KEY')) throw new TypeError('a private key');
    return { kind: 'public', key: createPublicKey(text) };
  } catch {
    env.fail('JWT_PUBLIC_KEY', 'must be a public key as PEM (line breaks may be written \\n)');
    return undefined;
  }
}
