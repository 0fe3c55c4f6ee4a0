import type { Clock, Timer } from '../../shared/clock.ts';
import { AppError, type ErrorCode, toAppError } from '../../shared/errors.ts';
import { CLOSE_CODES, type CloseCode } from '../../shared/protocol/close-codes.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Access, Authorization } from '../access/authorization.ts';

/** How long a client that needs a token may take to show one. */
export const TOKEN_WAIT_MS = 10_000;
/** What a timer can wait at most; longer-lived tokens are looked at again then. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** How a connection ends to which this is said: by which close code, and with which words. */
export function goodbyeFor(code: ErrorCode): [CloseCode, string] {
  if (code === 'unauthorized') return [CLOSE_CODES.unauthorized, 'token missing or bad'];
  if (code === 'topic_forbidden') return [CLOSE_CODES.forbidden, 'topic denied'];
  if (code === 'too_fast') return [CLOSE_CODES.tooFast, 'too fast'];
  return [CLOSE_CODES.full, code];
}

/** What a session is told about its access. */
export interface AccessHandler {
  /** Another token, or none any more: what may be listened to has changed. */
  changed(): void;
  /** There will be no access: `unauthorized`, or `keys_unavailable`. */
  ended(reason: AppError): void;
  /** A new token cannot be judged now: the one before goes on to count. */
  kept(reason: AppError): void;
}

/** What one client may listen to: from its token, until that expires. */
export class SessionAccess {
  readonly #authorization: Authorization;
  readonly #handler: AccessHandler;
  readonly #clock: Clock;
  #access: Access;
  #checking: string | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: { authorization: Authorization; handler: AccessHandler; clock: Clock }) {
    this.#authorization = deps.authorization;
    this.#handler = deps.handler;
    this.#clock = deps.clock;
    this.#access = deps.authorization.anonymous;
  }

  /** Whether it is not known yet what may be listened to. */
  get pending(): boolean {
    return this.#checking !== undefined || (this.#authorization.tokenRequired && !this.#access.hasToken);
  }

  get hasToken(): boolean {
    return this.#access.hasToken;
  }

  /** Why a topic may not be listened to; undefined where it may. */
  refusal(topic: Topic): 'unauthorized' | 'topic_forbidden' | undefined {
    if (this.#access.maySubscribe(topic)) return undefined;
    return this.#access.hasToken ? 'topic_forbidden' : 'unauthorized';
  }

  /** Takes the first token, or waits for it where one is needed. */
  open(token: string | undefined, options: { canWait: boolean }): void {
    if (token !== undefined) this.present(token);
    else if (this.pending && options.canWait)
      this.#wait(TOKEN_WAIT_MS, () => this.#handler.ended(new AppError('unauthorized')));
    else if (this.pending) this.#handler.ended(new AppError('unauthorized'));
  }

  /** Checks a token, which replaces the one before; of several that come at once the last one counts. */
  present(token: string): void {
    this.#checking = token;
    this.#authorization.check(token).then(
      (access) => {
        if (this.#stopped || this.#checking !== token) return;
        this.#take(access);
        this.#handler.changed();
      },
      (error: unknown) => {
        if (this.#stopped || this.#checking !== token) return;
        const reason = toAppError(error);
        if (reason.code !== 'keys_unavailable' || !this.#access.hasToken) return this.#handler.ended(reason);
        this.#checking = undefined;
        this.#handler.kept(reason);
        this.#handler.changed(); // for what was asked for meanwhile
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #take(access: Access): void {
    this.#checking = undefined;
    this.#access = access;
    this.#timer?.cancel();
    if (access.expiresAtMs !== Number.POSITIVE_INFINITY) this.#watchExpiry(access.expiresAtMs);
  }

  #watchExpiry(expiresAtMs: number): void {
    const leftMs = expiresAtMs - this.#clock.nowMs();
    this.#wait(Math.min(Math.max(0, leftMs), MAX_WAIT_MS), () => {
      if (this.#clock.nowMs() < expiresAtMs) return this.#watchExpiry(expiresAtMs);
      this.#access = this.#authorization.anonymous;
      if (this.#authorization.tokenRequired) this.#handler.ended(new AppError('unauthorized'));
      else this.#handler.changed();
    });
  }

  #wait(ms: number, callback: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, callback);
  }
}
