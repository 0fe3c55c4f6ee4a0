import { subtle, type webcrypto } from 'node:crypto';
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWK,
  type JWTPayload,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Topic } from '../../shared/update/topic.ts';
import { parseTopicPatterns, type TopicPattern } from '../../shared/update/topic-pattern.ts';
import type { SubscribeConfig, TokenKeys } from './access-config.ts';

/** The topics that a client may subscribe to, and until when. */
export interface Access {
  readonly hasToken: boolean;
  maySubscribe(topic: Topic): boolean;
  /** Unix time; Infinity if the token does not expire. */
  readonly expiresAtMs: number;
}

/** Verifies the tokens of subscribers. */
export interface Authorization {
  /** Whether a client without a token may subscribe to no topic. */
  readonly tokenRequired: boolean;
  /** The access of a client without a token. */
  readonly anonymous: Access;
  /**
   * Verifies a token.
   * @throws {AppError} `unauthorized`; `keys_unavailable` if the keys cannot be loaded now, or were loaded too recently to
   * load them again for a key that was not among them
   */
  check(token: string): Promise<Access>;
}

/** Tolerated clock difference to the issuer for `nbf`. There is none for `exp`. */
const CLOCK_TOLERANCE_S = 5;
const JWKS_TIMEOUT_MS = 3000;
const JWKS_MAX_BYTES = 256 * 1024;
/** Minimum interval between requests for keys, however many tokens have an unknown key. */
const JWKS_RETRY_MS = 1000;
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const OTHER_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** The type and curve of keys for those other algorithms. */
const CURVES = new Set(['EC P-256', 'EC P-384', 'EC P-521', 'OKP Ed25519']);
const MIN_RSA_BITS = 2048;

/**
 * Creates the verification of subscribers' tokens: JWTs (RFC 7519) with a claim `topics`, a list of topics or of prefixes
 * followed by `*`. The kind of key decides which algorithms are allowed, never the token. Returns undefined if no client
 * needs a token.
 */
export function createAuthorization(deps: { config: SubscribeConfig; clock: Clock }): Authorization | undefined {
  const { config, clock } = deps;
  if (config.auth === 'none' || !config.keys) return undefined;
  const { isPrivate, audience, issuer, maxAgeMs } = config;
  const tokenRequired = config.auth === 'required';
  const verifySignature = createVerifier(config.keys, clock);
  const isPublic: TopicPattern = tokenRequired ? () => false : (topic) => !isPrivate(topic);
  return {
    tokenRequired,
    anonymous: { hasToken: false, maySubscribe: isPublic, expiresAtMs: Number.POSITIVE_INFINITY },
    async check(token) {
      const { exp, topics } = await verifySignature(token, {
        currentDate: new Date(clock.nowMs()),
        clockTolerance: CLOCK_TOLERANCE_S,
        ...(audience === undefined ? {} : { audience }),
        ...(issuer === undefined ? {} : { issuer }),
      });
      const expiresAtMs = exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000;
      const leftMs = expiresAtMs - clock.nowMs();
      if (!(leftMs > 0 && leftMs <= maxAgeMs)) throw new AppError('unauthorized');
      const granted = parseTopicPatterns(Array.isArray(topics) ? topics : topics === undefined ? [] : [topics]);
      if (!granted) throw new AppError('unauthorized');
      return {
        hasToken: true,
        maySubscribe: (topic) => isPublic(topic) || granted(topic),
        expiresAtMs,
      };
    },
  };
}

function createVerifier(
  keys: TokenKeys,
  clock: Clock,
): (token: string, options: JWTVerifyOptions) => Promise<JWTPayload> {
  const verify = createJwtVerify(keys, clock);
  return async (token, options) => {
    try {
      return (await verify(token, options)).payload;
    } catch (cause) {
      // The token may be valid if the keys could not be loaded.
      const code = cause instanceof errors.JWKSInvalid ? 'keys_unavailable' : 'unauthorized';
      // The error says neither why the token is invalid nor what it is: its sender can find out, others need not.
      throw new AppError(code, undefined, { cause });
    }
  };
}

function createJwtVerify(
  keys: TokenKeys,
  clock: Clock,
): (token: string, options: JWTVerifyOptions) => Promise<JWTVerifyResult> {
  if (keys.kind === 'secret') {
    const importKey = createSecretImport(keys.secret);
    return (token, options) => jwtVerify(token, importKey, { ...options, algorithms: SECRET_ALGORITHMS });
  }
  const algorithms = [...RSA_ALGORITHMS, ...OTHER_ALGORITHMS];
  if (keys.kind === 'public') return (token, options) => jwtVerify(token, keys.key, { ...options, algorithms });
  const remote = createRemoteJWKSet(new URL(keys.url), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    [customFetch]: createThrottledFetch(clock),
  });
  return async (token, options) => {
    const { coolingDown } = remote;
    try {
      return await jwtVerify(token, remote, { ...options, algorithms });
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) {
        return await verifyWithAny(error, (key) => jwtVerify(token, key, { ...options, algorithms }));
      }
      if (!coolingDown || !(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // The key set is not read again yet: the key may have been added since.
      throw new errors.JWKSInvalid('the key set was read less than 30 s ago and does not have this key', {
        cause: error,
      });
    }
  };
}

/** Returns the key of a token's algorithm, imported once: otherwise jose imports the secret for each token, which costs more than to verify it. */
function createSecretImport(secret: Uint8Array): (header: { alg?: string }) => Promise<webcrypto.CryptoKey> {
  const imported = new Map<string, Promise<webcrypto.CryptoKey>>();
  return ({ alg = '' }) => {
    let key = imported.get(alg);
    if (!key) {
      key = subtle.importKey('raw', secret, { name: 'HMAC', hash: `SHA-${alg.slice(2)}` }, false, ['verify']);
      imported.set(alg, key);
    }
    return key;
  };
}

/** Tries each key that fits a token without `kid`, or whose `kid` several keys share (RFC 7515, section 4.1.4). */
async function verifyWithAny(
  keys: errors.JWKSMultipleMatchingKeys,
  verify: (key: webcrypto.CryptoKey) => Promise<JWTVerifyResult>,
): Promise<JWTVerifyResult> {
  for await (const key of keys) {
    try {
      return await verify(key);
    } catch {
      // The token is invalid, or signed with another key.
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

/** Creates a fetch that fails with the last error until the retry interval is over. */
function createThrottledFetch(clock: Clock): typeof fetchBounded {
  let retryAtMs = Number.NEGATIVE_INFINITY;
  let error: unknown;
  return async (url, options) => {
    if (clock.monotonicMs() < retryAtMs) throw error;
    error = new errors.JWKSInvalid('the last response was not a valid key set');
    try {
      return await fetchBounded(url, options);
    } catch (failure) {
      error = failure;
      throw failure;
    } finally {
      retryAtMs = clock.monotonicMs() + JWKS_RETRY_MS;
    }
  };
}

/** Fetches a key set, and fails if the response is longer than a key set can be. */
async function fetchBounded(url: string, options: RequestInit): Promise<Response> {
  try {
    const response = await fetch(url, options);
    if (response.status !== 200) throw new Error(`the response has status ${response.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > JWKS_MAX_BYTES) throw new Error('the key set is too long');
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks);
    requireUsableKey(body);
    return new Response(body);
  } catch (cause) {
    throw new errors.JWKSInvalid('the key set cannot be loaded', { cause });
  }
}

/** Throws if no key of a set can verify tokens, which would make every token invalid. */
function requireUsableKey(body: Buffer): void {
  const { keys } = JSON.parse(body.toString()) as { keys?: readonly JWK[] };
  if (Array.isArray(keys) && keys.some(isUsable)) return;
  throw new Error(
    'no key of the set can verify tokens: RSA of at least 2048 bits, EC P-256, P-384 or P-521, or Ed25519',
  );
}

function isUsable(key: JWK | null): boolean {
  if (key?.use !== undefined && key.use !== 'sig') return false;
  if (key?.key_ops && !key.key_ops.includes('verify')) return false;
  if (key?.kty === 'RSA') return Buffer.from(key.n ?? '', 'base64url').length * 8 >= MIN_RSA_BITS;
  return CURVES.has(`${key?.kty} ${key?.crv}`);
}
