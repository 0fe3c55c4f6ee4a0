import { createRemoteJWKSet, customFetch, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { Topic } from '../../shared/update/topic.ts';
import { parseTopicPatterns, type TopicPattern } from '../../shared/update/topic-pattern.ts';
import type { SubscribeConfig, TokenKeys } from './access-config.ts';

/** What a client may listen to, and until when. */
export interface Access {
  readonly hasToken: boolean;
  maySubscribe(topic: Topic): boolean;
  /** Infinity where it does not end. */
  readonly expiresAtMs: number;
}

/** Decides who may listen to what. */
export interface Authorization {
  /** Whether a client without a token may listen to nothing. */
  readonly tokenRequired: boolean;
  /** What a client without a token may do. */
  readonly anonymous: Access;
  /** Reads a token. Rejects with `unauthorized`, or with `keys_unavailable` where it cannot be judged now. */
  check(token: string): Promise<Access>;
}

/** How far ahead the clock of whoever signs may be (`nbf`); an end (`exp`) is an end. */
const CLOCK_TOLERANCE_S = 5;
const JWKS_TIMEOUT_MS = 3000;
const JWKS_MAX_BYTES = 256 * 1024;
/** Keys are asked for once in so long at most, however many tokens come for which there is none. */
const JWKS_RETRY_MS = 1000;
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const OTHER_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

/**
 * Creates the check of subscribers' tokens: JWTs (RFC 7519) with a claim `topics`, a list of topics or of
 * beginnings followed by `*`. Which algorithms are allowed follows from the kind of key, never from the token.
 * undefined where nobody needs a token.
 */
export function createAuthorization(deps: { config: SubscribeConfig; clock: Clock }): Authorization | undefined {
  const { config, clock } = deps;
  if (config.auth === 'none' || !config.keys) return undefined;
  const { isPrivate, audience, issuer } = config;
  const tokenRequired = config.auth === 'required';
  const verify = createVerify(config.keys, clock);
  const isPublic: TopicPattern = tokenRequired ? () => false : (topic) => !isPrivate(topic);
  return {
    tokenRequired,
    anonymous: { hasToken: false, maySubscribe: isPublic, expiresAtMs: Number.POSITIVE_INFINITY },
    async check(token) {
      const { exp, topics } = await verify(token, {
        currentDate: new Date(clock.nowMs()),
        clockTolerance: CLOCK_TOLERANCE_S,
        ...(audience === undefined ? {} : { audience }),
        ...(issuer === undefined ? {} : { issuer }),
      });
      if (exp !== undefined && exp * 1000 <= clock.nowMs()) throw new AppError('unauthorized');
      const granted = parseTopicPatterns(Array.isArray(topics) ? topics : topics === undefined ? [] : [topics]);
      if (!granted) throw new AppError('unauthorized');
      return {
        hasToken: true,
        maySubscribe: (topic) => isPublic(topic) || granted(topic),
        expiresAtMs: exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000,
      };
    },
  };
}

function createVerify(
  keys: TokenKeys,
  clock: Clock,
): (token: string, options: JWTVerifyOptions) => Promise<JWTPayload> {
  const run = createRun(keys, clock);
  return async (token, options) => {
    try {
      return (await run(token, options)).payload;
    } catch (cause) {
      // What is wrong with a token is not told, and neither is the token: its own sender knows it.
      throw new AppError(isOurFault(cause) ? 'keys_unavailable' : 'unauthorized', undefined, { cause });
    }
  };
}

function createRun(
  keys: TokenKeys,
  clock: Clock,
): (token: string, options: JWTVerifyOptions) => ReturnType<typeof jwtVerify> {
  if (keys.kind === 'secret') {
    return (token, options) => jwtVerify(token, keys.secret, { ...options, algorithms: SECRET_ALGORITHMS });
  }
  const algorithms = [...RSA_ALGORITHMS, ...OTHER_ALGORITHMS];
  if (keys.kind === 'public') return (token, options) => jwtVerify(token, keys.key, { ...options, algorithms });
  const remote = createRemoteJWKSet(new URL(keys.url), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    [customFetch]: createFetchSeldom(clock),
  });
  return (token, options) => jwtVerify(token, remote, { ...options, algorithms });
}

/** Errors that say nothing about the token: the keys could not be had. */
function isOurFault(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return true;
  return error instanceof errors.JOSEError && error.code === 'ERR_JOSE_GENERIC';
}

/** Creates a fetch that does not try again at once what did not help. */
function createFetchSeldom(clock: Clock): typeof fetchBounded {
  let againAtMs = Number.NEGATIVE_INFINITY;
  let error: unknown;
  return async (url, options) => {
    if (clock.monotonicMs() < againAtMs) throw error;
    error = new errors.JWKSInvalid('what was read a moment ago is no set of keys');
    try {
      return await fetchBounded(url, options);
    } catch (failure) {
      error = failure;
      throw failure;
    } finally {
      againAtMs = clock.monotonicMs() + JWKS_RETRY_MS;
    }
  };
}

/** Reads no more than a set of keys can be long, whatever comes. */
async function fetchBounded(url: string, options: RequestInit): Promise<Response> {
  try {
    const response = await fetch(url, options);
    if (response.status !== 200) throw new Error(`the answer is ${response.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > JWKS_MAX_BYTES) throw new Error('the set of keys is too long');
      chunks.push(chunk);
    }
    return new Response(Buffer.concat(chunks));
  } catch (cause) {
    throw new errors.JWKSInvalid('the keys cannot be read', { cause });
  }
}
