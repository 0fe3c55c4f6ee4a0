import type { Clock, Timer } from '../../../shared/clock.ts';
import { AppError } from '../../../shared/errors.ts';
import { CLOSE_CODES, type CloseCode } from '../../../shared/protocol/close-codes.ts';
import { encodeRegister } from '../../../shared/protocol/server-message.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update, Version } from '../../../shared/update/update.ts';
import type { HttpResponse } from '../../engine/engine.ts';
import { errorForClose, sendProblem, writeHeaders } from '../http/http-response.ts';
import { HttpConnection, type HttpTransport } from '../http/http-transport.ts';
import type { TopicRequest } from './topic-request.ts';

/** Deadline of a request without a wait: the register may have to be read from the broker first. */
const RESPONSE_TIMEOUT_MS = 5000;
const NORMAL = 1000;

/** One request for a register, subscribed to its topic until the response is sent. */
export class LongPollConnection extends HttpConnection {
  readonly transport = 'long-poll';
  readonly #request: TopicRequest;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #deadline: Timer;
  #current: Version | undefined;

  constructor(deps: {
    host: HttpTransport<HttpConnection>;
    res: HttpResponse;
    admissionKey: string;
    request: TopicRequest;
    cors: Readonly<Record<string, string>>;
    clock: Clock;
    isPublic: boolean;
  }) {
    super(deps);
    const { request, clock } = deps;
    this.#request = request;
    this.#headers = {
      // A shared cache may answer all requests of a second with one response; a browser revalidates each time.
      'Cache-Control': deps.isPublic ? 'public, max-age=0, s-maxage=1' : 'private, no-cache',
      'X-Content-Type-Options': 'nosniff',
      'Access-Control-Expose-Headers': 'ETag, Retry-After',
      ...deps.cors,
    };
    this.#deadline = clock.after(request.waitMs || RESPONSE_TIMEOUT_MS, () => this.#endWait());
  }

  protected get topics(): Iterable<Topic> {
    return [this.#request.topic];
  }

  sendSubscribed(versions: ReadonlyMap<Topic, Version | null>): boolean {
    const version = versions.get(this.#request.topic) ?? null;
    this.#current = version ?? undefined;
    if (this.#request.waitMs > 0) return true;
    if (version === null) this.#refuse(new AppError('not_fresh'));
    // If the client has another version, the update follows.
    else if (this.#isCurrent) this.#notModified();
    return true;
  }

  sendUpdate(update: Update): boolean {
    return this.sendRendered(update, encodeRegister(update));
  }

  sendRendered({ version }: Update, text: string): boolean {
    if (this.#request.known?.has(version)) return true; // one of several versions that the client named
    this.#end(NORMAL, (res) => {
      res.writeStatus('200 OK');
      writeHeaders(res, { ...this.#headers, 'Content-Type': 'application/json', ETag: `"${version}"` });
      res.end(text);
    });
    return true;
  }

  sendFreshness(fresh: boolean): boolean {
    // A client that waited on would take a stale relay for fresh, and another relay may be fresh.
    if (!fresh) this.#refuse(new AppError('not_fresh'));
    return true;
  }

  sendError(): boolean {
    return true; // the response status has the error
  }

  close(code: CloseCode, reason: string): void {
    if (code === CLOSE_CODES.drain) this.#endWait(code);
    else this.#refuse(errorForClose(code, reason), code);
  }

  protected override ended(code: number): void {
    this.#deadline.cancel();
    super.ended(code);
  }

  get #isCurrent(): boolean {
    const { known } = this.#request;
    return this.#current !== undefined && (known === null || known.has(this.#current));
  }

  /** Responds "not modified", or with an error while the relay is stale. */
  #endWait(code: number = NORMAL): void {
    if (this.#isCurrent && this.owner?.isFresh(this.#request.topic)) this.#notModified(code);
    else this.#refuse(new AppError('not_fresh'), code);
  }

  #notModified(code: number = NORMAL): void {
    this.#end(code, (res) => {
      res.writeStatus('304 Not Modified');
      writeHeaders(res, { ...this.#headers, ETag: `"${this.#current}"` });
      res.endWithoutBody(0, code === CLOSE_CODES.drain);
    });
  }

  #refuse(error: AppError, code: number = NORMAL): void {
    const { res } = this;
    if (!res) return;
    const { 'Cache-Control': _, ...headers } = this.#headers;
    sendProblem(res, error, headers);
    this.ended(code);
  }

  #end(code: number, write: (res: HttpResponse) => void): void {
    const { res } = this;
    if (!res) return;
    res.cork(() => write(res));
    this.ended(code);
  }
}
