import type { Clock, Timer } from '../../shared/clock.ts';
import { AppError, type ErrorCode, toAppError } from '../../shared/errors.ts';
import { CLOSE_CODES, type CloseCode } from '../../shared/protocol/close-codes.ts';
import type { Topic } from '../../shared/update/topic.ts';
import type { Version } from '../../shared/update/update.ts';
import type { Access, Authorization } from '../access/authorization.ts';

/** How long a client that needs a token may take to present one. */
export const TOKEN_WAIT_MS = 10_000;
/** The longest delay of a timer; tokens that live longer are checked again then. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** Returns the close code and reason that belong to an error code. */
export function closeFor(code: ErrorCode): [CloseCode, string] {
  if (code === 'unauthorized') return [CLOSE_CODES.unauthorized, 'token missing or bad'];
  if (code === 'topic_forbidden') return [CLOSE_CODES.forbidden, 'topic denied'];
  if (code === 'too_fast') return [CLOSE_CODES.tooFast, 'too fast'];
  return [CLOSE_CODES.full, code];
}

/** Receives the changes of one client's access. */
export interface AccessHandler {
  /** Another token is valid, or the token has expired: other topics are allowed now. */
  changed(): void;
  /** The client has no access: `unauthorized`, or `keys_unavailable`. */
  ended(reason: AppError): void;
  /** A new token cannot be verified now: the previous one stays valid. */
  kept(reason: AppError): void;
}

const NOTHING_DEFERRED: ReadonlyMap<Topic, Version | null> = new Map();

/**
 * The topics that one client may subscribe to, by its token and until that expires; and the subscriptions that wait for
 * a token. Call `open` first, and `stop` when the client is gone.
 */
export class SessionAccess {
  readonly #authorization: Authorization;
  readonly #handler: AccessHandler;
  readonly #clock: Clock;
  #access: Access;
  #checking: string | undefined;
  #deferred: Map<Topic, Version | null> | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: { authorization: Authorization; handler: AccessHandler; clock: Clock }) {
    this.#authorization = deps.authorization;
    this.#handler = deps.handler;
    this.#clock = deps.clock;
    this.#access = deps.authorization.anonymous;
  }

  /** Whether the client's token is being verified, or required and still missing. */
  get pending(): boolean {
    return this.#checking !== undefined || (this.#authorization.tokenRequired && !this.#access.hasToken);
  }

  get hasToken(): boolean {
    return this.#access.hasToken;
  }

  /** Subscriptions that wait for a token, with the client's versions. */
  get deferred(): ReadonlyMap<Topic, Version | null> {
    return this.#deferred ?? NOTHING_DEFERRED;
  }

  /** Holds subscriptions until the token is verified. */
  defer(topics: ReadonlyMap<Topic, Version | null>): void {
    this.#deferred = new Map([...this.deferred, ...topics]);
  }

  /** Removes a deferred subscription. */
  withdraw(topic: Topic): void {
    this.#deferred?.delete(topic);
  }

  /** Removes and returns the deferred subscriptions; undefined if there are none. */
  takeDeferred(): ReadonlyMap<Topic, Version | null> | undefined {
    const deferred = this.#deferred;
    this.#deferred = undefined;
    return deferred?.size ? deferred : undefined;
  }

  /** Returns the error code if the client may not subscribe to a topic; undefined if it may. */
  refusal(topic: Topic): 'unauthorized' | 'topic_forbidden' | undefined {
    if (this.#access.maySubscribe(topic)) return undefined;
    return this.#access.hasToken ? 'topic_forbidden' : 'unauthorized';
  }

  /** Checks the token of the request. Without one, and if one is required, waits for `present` or ends. */
  open(token: string | undefined, options: { canWait: boolean }): void {
    if (token !== undefined) this.present(token);
    else if (this.pending && options.canWait)
      this.#wait(TOKEN_WAIT_MS, () => this.#handler.ended(new AppError('unauthorized')));
    else if (this.pending) this.#handler.ended(new AppError('unauthorized'));
  }

  /** Checks a token, which replaces the previous one once it is valid. If several are being checked, the last one counts. */
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
        this.#handler.changed(); // for the deferred subscriptions
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
