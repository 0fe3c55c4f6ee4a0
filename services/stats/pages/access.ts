import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { AppError } from '../../shared/errors.ts';
import { parseBearerToken } from '../../shared/protocol/bearer-token.ts';

/** For how long somebody who has logged in stays so, in seconds. */
const SESSION_S = 12 * 3600;
const COOKIE = 'heliograph_stats';
/** Wrong tokens that one address may show within a minute. */
const MISTAKES_PER_MINUTE = 10;

/**
 * Who may see the pages: whoever shows the token, as a bearer or by a cookie that was given for it. The cookie is good
 * on every process with the same token, and holds nothing of it.
 */
export class Access {
  readonly #token: string;
  readonly #nowMs: () => number;
  readonly #mistakes = new RateLimiterMemory({ points: MISTAKES_PER_MINUTE, duration: 60 });

  constructor(deps: { token: string; nowMs: () => number }) {
    this.#token = deps.token;
    this.#nowMs = deps.nowMs;
  }

  /** Whether somebody may. Rejects with `rate_limited` where the same address was wrong too often. */
  async isAllowed(request: Request): Promise<boolean> {
    const bearer = parseBearerToken(request.headers.authorization);
    if (bearer !== undefined) return this.isToken(request, bearer);
    const [, cookie] = new RegExp(`(?:^|; *)${COOKIE}=([^;]{1,100})`).exec(request.headers.cookie ?? '') ?? [];
    return cookie !== undefined && this.#isGood(cookie);
  }

  /** Whether this is the token. Takes as long whether it is or not, and no more than some tries. */
  async isToken(request: Request, candidate: string): Promise<boolean> {
    const key = request.socket.remoteAddress ?? '';
    const made = await this.#mistakes.get(key);
    if (made && made.remainingPoints <= 0) throw new AppError('rate_limited', 'Too many wrong tokens: wait a minute');
    if (timingSafeEqual(digest(candidate), digest(this.#token))) return true;
    await this.#mistakes.consume(key).catch((refusal: unknown) => {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
    });
    return false;
  }

  /** The `Set-Cookie` of somebody who has logged in. */
  sessionCookie(): string {
    const expires = String(Math.floor(this.#nowMs() / 1000) + SESSION_S);
    return `${COOKIE}=${expires}.${this.#sign(expires)}; Max-Age=${SESSION_S}; Path=/stats; HttpOnly; SameSite=Strict`;
  }

  /** The `Set-Cookie` of somebody who has logged out. */
  expiredCookie(): string {
    return `${COOKIE}=; Max-Age=0; Path=/stats; HttpOnly; SameSite=Strict`;
  }

  #isGood(cookie: string): boolean {
    const [expires = '', signature = ''] = cookie.split('.');
    const signed = timingSafeEqual(digest(signature), digest(this.#sign(expires)));
    return signed && Number(expires) * 1000 > this.#nowMs();
  }

  #sign(expires: string): string {
    return createHmac('sha256', this.#token).update(`heliograph statistics until ${expires}`).digest('base64url');
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
