import type { HttpResponse } from 'uWebSockets.js';
import { CLOSE_CODES, type CloseCode } from '../../../shared/protocol/close-codes.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update, Version } from '../../../shared/update/update.ts';
import { refusalOf } from '../http/uws-problem.ts';
import { UwsRequest } from '../http/uws-request.ts';
import { JSON_ENCODER } from '../message-encoder.ts';
import type { Sweepable } from '../sweep.ts';
import type { TopicSubscribers } from '../topic-subscribers.ts';
import type { Connection } from '../transport.ts';
import { renderEvent, renderRetry } from './sse-text.ts';
import { refuseStream, writeStreamHead } from './uws-stream.ts';

/** One stream of Server-Sent Events. Its `id:` is what the client knows of each topic, in the order of its URL. */
export class UwsSseConnection implements Connection, Sweepable {
  readonly transport = 'sse';
  readonly acceptsMessages = false;
  readonly request: UwsRequest<UwsSseConnection>;
  readonly #known: Map<Topic, Version | null>;
  readonly #cors: Readonly<Record<string, string>>;
  readonly #retryMs: number;
  #begun = false;
  /** What is said before it is known whether there will be a stream. */
  #early = '';
  #full = false;

  constructor(deps: {
    res: HttpResponse;
    since: ReadonlyMap<Topic, Version | null>;
    listeners: TopicSubscribers<UwsSseConnection>;
    cors: Readonly<Record<string, string>>;
    retryMs: number;
  }) {
    const { res, listeners } = deps;
    this.request = new UwsRequest({ connection: this, res, listeners, whenGone() {} });
    res.onWritable(() => this.#roomAgain());
    this.#known = new Map(deps.since);
    this.#cors = deps.cors;
    this.#retryMs = deps.retryMs;
  }

  subscribe(topic: Topic): void {
    this.request.listen(topic);
  }

  unsubscribe(topic: Topic): void {
    this.request.unlisten(topic);
  }

  sendSubscribed(numbers: ReadonlyMap<Topic, Version | null>): boolean {
    if (this.#full) return false;
    for (const [topic, number] of numbers) {
      // What a client knows only moves on with the update that follows; who knows nothing begins here, or at 0
      // where nobody can vouch, so that what happens meanwhile is told when it comes back.
      this.#known.set(topic, this.#known.get(topic) ?? number ?? 0);
    }
    const begins = this.#begun ? '' : renderRetry(this.#retryMs);
    return this.#write(begins + renderEvent('subscribed', JSON_ENCODER.subscribed(numbers) ?? '', this.#id));
  }

  sendUpdate(update: Update): boolean {
    return this.sendRendered(update, JSON_ENCODER.update(update));
  }

  /** The same with its text, which is made once for all who listen. */
  sendRendered({ topic, version }: Update, text: string): boolean {
    if (this.#full) return false;
    this.#known.set(topic, version);
    return this.#write(renderEvent('update', text, this.#id));
  }

  sendFreshness(fresh: boolean): boolean {
    return this.#say(renderEvent('freshness', JSON_ENCODER.freshness(fresh) ?? ''));
  }

  sendPong = () => true; // nobody can ask

  sendError(code: string, topic?: Topic): boolean {
    if (topic === undefined) return true; // the status of the answer says it
    return this.#say(renderEvent('refused', JSON_ENCODER.error(code, topic) ?? ''));
  }

  close(code: CloseCode, reason: string): void {
    const { res } = this.request;
    if (!res) return;
    const isDrain = code === CLOSE_CODES.drain;
    const retryMs = isDrain && reason !== '' ? Number(reason) : this.#retryMs;
    if (!this.#begun && !isDrain) refuseStream(res, refusalOf(code, reason), { cors: this.#cors, retryMs });
    else {
      res.cork(() => {
        if (!this.#begun) writeStreamHead(res, this.#cors);
        res.end(renderRetry(retryMs));
      });
    }
    this.request.gone(code);
  }

  /** A sign of life that a page can see; a reader that takes nothing is cut by uWebSockets.js. */
  sweep(): boolean {
    if (this.#begun) this.#write(renderEvent('ping', '{}'));
    return true;
  }

  /** What was written has gone out. */
  #roomAgain(): boolean {
    this.#full = false;
    this.request.owner?.drained();
    return true;
  }

  get #id(): string {
    return [...this.#known.values()].map((version) => version ?? '').join(',');
  }

  #say(text: string): boolean {
    if (this.#begun) return this.#write(text);
    this.#early += text;
    return true;
  }

  /** False where nothing was taken, because what was taken before has not gone out. */
  #write(text: string): boolean {
    const { res } = this.request;
    if (!res) return true;
    if (this.#full) return false;
    res.cork(() => {
      if (!this.#begun) writeStreamHead(res, this.#cors);
      this.#full = !res.write(text + this.#early);
      this.#begun = true;
      this.#early = '';
    });
    return true;
  }
}
