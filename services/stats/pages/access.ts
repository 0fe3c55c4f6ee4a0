import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../../shared/errors.ts';
import { parseBearerToken } from '../../shared/protocol/bearer-token.ts';

/** Lifetime of a login, in seconds. */
const SESSION_S = 12 * 3600;
const COOKIE = 'heliograph_stats';
/** Wrong tokens that an address may send within a minute. */
const WRONG_TOKENS_PER_MINUTE = 10;

/**
 * Access control of the pages: the token as a bearer token, or a cookie that was issued for it. The cookie is valid on
 * every process with the same token, and is signed with the token without containing it.
 */
export class Access {
  readonly #token: string;
  readonly #nowMs: () => number;
  readonly #wrongTokens = new RateLimiterMemory({ points: WRONG_TOKENS_PER_MINUTE, duration: 60 });

  constructor(deps: { token: string; nowMs: () => number }) {
    this.#token = deps.token;
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
    const [, cookie] = new RegExp(`(?:^|; *)${COOKIE}=([^;]{1,100})`).exec(request.headers.cookie ?? '') ?? [];
    return cookie !== undefined && this.#isValid(cookie);
  }

  /**
   * Returns whether this is the token, in constant time.
   *
   * @throws {AppError} rate_limited after too many wrong tokens from the address of the request
   */
  async isToken(request: Request, candidate: string): Promise<boolean> {
    const key = request.socket.remoteAddress ?? '';
    const wrong = await this.#wrongTokens.get(key);
    if (wrong && wrong.remainingPoints <= 0)
      throw new AppError('rate_limited', 'Too many wrong tokens; try again in a minute');
    if (timingSafeEqual(digest(candidate), digest(this.#token))) return true;
    await this.#wrongTokens.consume(key).catch((error: unknown) => {
      if (!(error instanceof RateLimiterRes)) throw error;
    });
    return false;
  }

  /** Returns the `Set-Cookie` header for a login. */
  sessionCookie(): string {
    const expires = String(Math.floor(this.#nowMs() / 1000) + SESSION_S);
    return `${COOKIE}=${expires}.${this.#sign(expires)}; Max-Age=${SESSION_S}; Path=/stats; HttpOnly; SameSite=Strict`;
  }

  /** Returns the `Set-Cookie` header for a logout. */
  expiredCookie(): string {
    return `${COOKIE}=; Max-Age=0; Path=/stats; HttpOnly; SameSite=Strict`;
  }

  #isValid(cookie: string): boolean {
    const [expires = '', signature = ''] = cookie.split('.');
    const isSigned = timingSafeEqual(digest(signature), digest(this.#sign(expires)));
    return isSigned && Number(expires) * 1000 > this.#nowMs();
  }

  #sign(expires: string): string {
    return createHmac('sha256', this.#token).update(`heliograph statistics until ${expires}`).digest('base64url');
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
