import { CLOSE_CODES, type CloseCode } from '../../../shared/protocol/close-codes.ts';
import type { Topic } from '../../../shared/update/topic.ts';
import type { Update, Version } from '../../../shared/update/update.ts';
import type { HttpResponse } from '../../engine/engine.ts';
import { errorForClose } from '../http/http-response.ts';
import { HttpConnection, type HttpTransport } from '../http/http-transport.ts';
import { JSON_ENCODER } from '../message-encoder.ts';
import type { Sweepable } from '../sweep.ts';
import { refuseStream, renderEvent, renderRetry, TURBO_REFRESH, writeStreamHead } from './sse-stream.ts';

/** The format of updates: named JSON events, or unnamed events that are Turbo streams. */
export type SseFormat = 'json' | 'turbo';

/** One stream of Server-Sent Events. Its `id:` lists the version that the client has of each topic, in the order of its URL. */
export class SseConnection extends HttpConnection implements Sweepable {
  readonly transport = 'sse';
  override readonly supportsSpread: boolean;
  readonly #versions: Map<Topic, Version | null>;
  readonly #cors: Readonly<Record<string, string>>;
  readonly #retryMs: number;
  #started = false;
  /** Events sent before the stream was started, while it could still be refused. */
  #early = '';
  #full = false;

  constructor(deps: {
    host: HttpTransport<HttpConnection>;
    res: HttpResponse;
    admissionKey: string;
    since: ReadonlyMap<Topic, Version | null>;
    cors: Readonly<Record<string, string>>;
    retryMs: number;
    format: SseFormat;
  }) {
    super(deps);
    this.supportsSpread = deps.format === 'json';
    this.#versions = new Map(deps.since);
    this.#cors = deps.cors;
    this.#retryMs = deps.retryMs;
    deps.res.onWritable(() => this.#drained());
  }

  override get bufferedBytes() {
    return this.#full ? 1 : 0;
  }

  protected get topics(): Iterable<Topic> {
    return this.#versions.keys();
  }

  sendSubscribed(versions: ReadonlyMap<Topic, Version | null>): boolean {
    if (this.#full) return false;
    for (const [topic, version] of versions) {
      // A client's version only changes with an update. A client without one starts with the current version; while the
      // relay is stale, with 0, so that it is notified of changes in between when it reconnects.
      this.#versions.set(topic, this.#versions.get(topic) ?? version ?? 0);
    }
    const retry = this.#started ? '' : renderRetry(this.#retryMs);
    return this.#write(retry + renderEvent('subscribed', JSON_ENCODER.subscribed(versions) ?? '', this.#id));
  }

  sendUpdate(update: Update): boolean {
    // The end of a paced delivery includes topics that were sent meanwhile.
    if (!this.supportsSpread && this.#versions.get(update.topic) === update.version) return true;
    return this.sendRendered(update, JSON_ENCODER.update(update));
  }

  sendRendered({ topic, version }: Update, text: string): boolean {
    if (this.#full) return false;
    this.#versions.set(topic, version);
    const event = this.supportsSpread
      ? renderEvent('update', text, this.#id)
      : renderEvent('', TURBO_REFRESH, this.#id);
    return this.#write(event);
  }

  sendFreshness(fresh: boolean): boolean {
    return this.#writeOrDefer(renderEvent('freshness', JSON_ENCODER.freshness(fresh) ?? ''));
  }

  sendError(code: string, topic?: Topic): boolean {
    if (topic === undefined) return true; // the response status has the error
    return this.#writeOrDefer(renderEvent('refused', JSON_ENCODER.error(code, topic) ?? ''));
  }

  close(code: CloseCode, reason: string): void {
    const { res } = this;
    if (!res) return;
    const isDrain = code === CLOSE_CODES.drain;
    const retryMs = isDrain && reason !== '' ? Number(reason) : this.#retryMs;
    if (!this.#started && !isDrain) refuseStream(res, errorForClose(code, reason), { cors: this.#cors, retryMs });
    else {
      res.cork(() => {
        if (!this.#started) writeStreamHead(res, this.#cors);
        res.end(renderRetry(retryMs));
      });
    }
    this.ended(code);
  }

  /** Sends a ping that pages can see. Never closes: uWebSockets.js closes a response whose client reads nothing. */
  sweep(): boolean {
    if (this.#started) this.#write(renderEvent('ping', '{}'));
    return true;
  }

  #drained(): boolean {
    this.#full = false;
    this.owner?.drained();
    return true;
  }

  get #id(): string {
    return [...this.#versions.values()].map((version) => version ?? '').join(',');
  }

  #writeOrDefer(text: string): boolean {
    if (this.#started) return this.#write(text);
    this.#early += text;
    return true;
  }

  /** Returns false, and writes nothing, while earlier writes have not been sent. */
  #write(text: string): boolean {
    const { res } = this;
    if (!res) return true;
    if (this.#full) return false;
    res.cork(() => {
      if (!this.#started) writeStreamHead(res, this.#cors);
      this.#full = !res.write(text + this.#early);
      this.#started = true;
      this.#early = '';
    });
    return true;
  }
}
