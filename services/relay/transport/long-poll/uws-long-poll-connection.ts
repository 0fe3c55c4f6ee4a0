import type { HttpResponse } from 'uWebSockets.js';
import type { Clock, Timer } from '../../../shared/clock.ts';
import { AppError } from '../../../shared/errors.ts';
import { CLOSE_CODES, type CloseCode } from '../../../shared/protocol/close-codes.ts';
import { updateMessage } from '../../../shared/protocol/server-message.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update, Version } from '../../../shared/update/update.ts';
import { refusalOf, sendProblem, writeHeaders } from '../http/uws-problem.ts';
import { UwsRequest } from '../http/uws-request.ts';
import type { TopicSubscribers } from '../topic-subscribers.ts';
import type { Connection } from '../transport.ts';
import type { TopicRequest } from './topic-request.ts';

/** How long an answer may take that nobody wants to wait for: the register may have to be read first. */
const ANSWER_WITHIN_MS = 5000;

/** Renders a register as `/topics/` shows it: the same bytes for everybody. */
export function renderTopic(update: Update): string {
  const { type: _, ...register } = updateMessage(update);
  return JSON.stringify(register);
}

/** One request for a register, which is a client until it is answered. */
export class UwsLongPollConnection implements Connection {
  readonly transport = 'long-poll';
  readonly acceptsMessages = false;
  readonly request: UwsRequest<UwsLongPollConnection>;
  readonly #asked: TopicRequest;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #deadline: Timer;
  #current: Version | undefined;
  #fresh = true;

  constructor(deps: {
    res: HttpResponse;
    asked: TopicRequest;
    listeners: TopicSubscribers<UwsLongPollConnection>;
    cors: Readonly<Record<string, string>>;
    clock: Clock;
    isPublic: boolean;
  }) {
    const { res, asked, listeners, clock } = deps;
    this.request = new UwsRequest({ connection: this, res, listeners, whenGone: () => this.#deadline.cancel() });
    this.#asked = asked;
    this.#headers = {
      // A cache may answer all who ask in the same second with one answer; a browser asks each time.
      'Cache-Control': deps.isPublic ? 'public, max-age=0, s-maxage=1' : 'private, no-cache',
      'X-Content-Type-Options': 'nosniff',
      'Access-Control-Expose-Headers': 'ETag, Retry-After',
      ...deps.cors,
    };
    this.#deadline = clock.after(asked.waitMs || ANSWER_WITHIN_MS, () => this.#endWait());
  }

  subscribe(topic: Topic): void {
    this.request.listen(topic);
  }

  unsubscribe(topic: Topic): void {
    this.request.unlisten(topic);
  }

  sendSubscribed(numbers: ReadonlyMap<Topic, Version | null>): boolean {
    const number = numbers.get(this.#asked.topic) ?? null;
    this.#current = number ?? undefined;
    // Where the numbers differ the update follows.
    if (this.#asked.waitMs === 0 && (number === null || this.#isCurrent)) this.#endWait();
    return true;
  }

  sendUpdate(update: Update): boolean {
    this.sendRendered(update, renderTopic(update));
    return true;
  }

  /** Answers with the register, whose text is made once for all who wait. */
  sendRendered({ version }: Update, text: string): void {
    this.#end(1000, (res) => {
      res.writeStatus('200 OK');
      writeHeaders(res, { ...this.#headers, 'Content-Type': 'application/json', ETag: `"${version}"` });
      res.end(text);
    });
  }

  sendFreshness(fresh: boolean): boolean {
    this.#fresh = fresh;
    return true;
  }

  sendPong = () => true; // nobody can ask
  sendError = () => true; // the status of the answer says it

  close(code: CloseCode, reason: string): void {
    if (code === CLOSE_CODES.drain) this.#endWait(code);
    else this.#refuse(refusalOf(code, reason), code);
  }

  get #isCurrent(): boolean {
    const { since } = this.#asked;
    return this.#current !== undefined && (since === null || since === this.#current);
  }

  /** "Nothing new" can only be said by who can vouch for it. */
  #endWait(code = 1000): void {
    if (!this.#fresh || !this.#isCurrent) {
      this.#refuse(new AppError('not_fresh'), code);
      return;
    }
    this.#end(code, (res) => {
      res.writeStatus('304 Not Modified');
      writeHeaders(res, { ...this.#headers, ETag: `"${this.#current}"` });
      res.endWithoutBody(0, code === CLOSE_CODES.drain);
    });
  }

  #refuse(error: AppError, code: number): void {
    const { res } = this.request;
    if (!res) return;
    const { 'Cache-Control': _, ...headers } = this.#headers;
    sendProblem(res, error, headers);
    this.request.gone(code);
  }

  #end(code: number, write: (res: HttpResponse) => void): void {
    const { res } = this.request;
    if (!res) return;
    res.cork(() => write(res));
    this.request.gone(code);
  }
}
