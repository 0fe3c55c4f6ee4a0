import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../../shared/errors.ts';
import { type ClientAddressReader, forwardedFor } from '../../shared/http/client-address.ts';
import { parseBearerToken } from '../../shared/protocol/bearer-token.ts';
import type { StatsStore } from '../store/stats-store.ts';

/** Lifetime of a login, in seconds. */
const SESSION_S = 12 * 3600;
const COOKIE = 'heliograph_stats';
/** Wrong tokens that an address may send within a minute. */
const WRONG_TOKENS_PER_MINUTE = 10;
/** Tokens that are compared in a second, right or wrong, of all addresses. */
const TRIES_PER_SECOND = 100;

/** A login that was proven by its cookie. */
interface Session {
  readonly id: string;
  readonly leftMs: number;
}

/**
 * Access control of the pages: the token as a bearer token, or a cookie that was issued for it. The cookie is valid on
 * every process with the same token until its logout, and is signed with the token without containing it.
 */
export class Access {
  readonly #token: string;
  readonly #sessions: Pick<StatsStore, 'endSession' | 'hasSessionEnded'>;
  readonly #readAddress: ClientAddressReader;
  readonly #nowMs: () => number;
  readonly #wrongTokens = new RateLimiterMemory({ points: WRONG_TOKENS_PER_MINUTE, duration: 60 });
  readonly #tries = new RateLimiterMemory({ points: TRIES_PER_SECOND, duration: 1 });

  constructor(deps: {
    token: string;
    sessions: Pick<StatsStore, 'endSession' | 'hasSessionEnded'>;
    readAddress: ClientAddressReader;
    nowMs: () => number;
  }) {
    this.#token = deps.token;
    this.#sessions = deps.sessions;
    this.#readAddress = deps.readAddress;
    this.#nowMs = deps.nowMs;
  }

  /**
   * Returns whether a request has access.
   *
   * @throws {AppError} rate_limited after too many wrong tokens from its address
   */
  async isAllowed(request: Request): Promise<boolean> {
    const bearer = parseBearerToken(request.headers.authorization);
    if (bearer !== undefined) return this.isToken(request, bearer);
    const session = this.#sessionOf(request);
    return session !== undefined && !(await this.#sessions.hasSessionEnded(session.id));
  }

  /**
   * Returns whether this is the token, in constant time. The right one passes also after wrong ones: it is too long to be guessed.
   *
   * @throws {AppError} rate_limited after too many wrong tokens from the client's address, or too many tries in all
   */
  async isToken(request: Request, candidate: string): Promise<boolean> {
    await consume(this.#tries, '', 'Too many tries; try again in a second');
    if (timingSafeEqual(digest(candidate), digest(this.#token))) return true;
    const address = this.#readAddress(request.socket.remoteAddress ?? '', forwardedFor(request.headers));
    await consume(this.#wrongTokens, address, 'Too many wrong tokens; try again in a minute');
    return false;
  }

  /** Returns the `Set-Cookie` header for a login. */
  createSession(request: Request): string {
    const expires = String(Math.floor(this.#nowMs() / 1000) + SESSION_S);
    const id = randomBytes(16).toString('base64url');
    return cookie(request, `${expires}.${id}.${this.#sign(expires, id)}`, SESSION_S);
  }

  /** Ends the login of a request, also for copies of its cookie. Returns the `Set-Cookie` header that removes it. */
  async endSession(request: Request): Promise<string> {
    const session = this.#sessionOf(request);
    if (session) await this.#sessions.endSession(session.id, session.leftMs);
    return cookie(request, '', 0);
  }

  #sessionOf(request: Request): Session | undefined {
    const [, value = ''] = new RegExp(`(?:^|; *)${COOKIE}=([^;]{1,150})`).exec(request.headers.cookie ?? '') ?? [];
    const [expires = '', id = '', signature = ''] = value.split('.');
    const isSigned = timingSafeEqual(digest(signature), digest(this.#sign(expires, id)));
    const leftMs = Number(expires) * 1000 - this.#nowMs();
    return isSigned && leftMs > 0 ? { id, leftMs } : undefined;
  }

  #sign(expires: string, id: string): string {
    return createHmac('sha256', this.#token).update(`heliograph statistics ${id} until ${expires}`).digest('base64url');
  }
}

/** Rejects with `rate_limited` if the limit is exceeded. */
async function consume(limiter: RateLimiterMemory, key: string, detail: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (refusal) {
    throw refusal instanceof RateLimiterRes ? new AppError('rate_limited', detail) : refusal;
  }
}

function cookie(request: Request, value: string, maxAgeS: number): string {
  const attributes = `Max-Age=${maxAgeS}; Path=/stats; HttpOnly; SameSite=Strict`;
  return `${COOKIE}=${value}; ${attributes}${isSecure(request) ? '; Secure' : ''}`;
}

/** Returns whether the browser uses TLS, which ends at a proxy. A false statement affects only the cookie of its sender. */
function isSecure({ headers }: Request): boolean {
  const protocol = String(headers['x-forwarded-proto'] ?? '')
    .split(',', 1)[0]
    ?.trim();
  return protocol === 'https' || headers.origin?.startsWith('https://') === true;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
