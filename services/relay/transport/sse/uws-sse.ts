import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { AppError, toAppError } from '../../../shared/errors.ts';
import type { Update } from '../../../shared/update/update.ts';
import { parseConnectRequest } from '../connect-request.ts';
import type { HttpTransportDeps } from '../http/uws-request.ts';
import { JSON_ENCODER } from '../message-encoder.ts';
import { TopicSubscribers } from '../topic-subscribers.ts';
import type { Transport } from '../transport.ts';
import { readCaller } from '../uws-caller.ts';
import { UwsSseConnection } from './uws-sse-connection.ts';
import { refuseStream } from './uws-stream.ts';

/** The most topics of one stream: its `id:` carries a number for each. */
export const MAX_EVENT_TOPICS = 16;

/** A browser that lost its stream comes back after a random time between these, in milliseconds. */
const RETRY_MIN_MS = 1000;
export const RETRY_MAX_MS = 4000;

/** Server-Sent Events at `/events`: a native `EventSource` is a full client, and comes back where it was. */
export class UwsSse implements Transport {
  readonly #deps: HttpTransportDeps & { readonly maxTopics: number };
  readonly #listeners = new TopicSubscribers<UwsSseConnection>();
  readonly connections = new Set<UwsSseConnection>();

  constructor(deps: HttpTransportDeps & { maxTopics: number }) {
    this.#deps = deps;
    deps.app.get('/events', (res, req) => this.#open(res, req));
  }

  deliver(update: Update): number {
    const listeners = this.#listeners.of(update.topic);
    if (listeners.length === 0) return 0;
    const text = JSON_ENCODER.update(update);
    for (const connection of listeners) {
      if (!connection.sendRendered(update, text)) connection.request.owner?.fellBehind();
    }
    return listeners.length;
  }

  sendFreshness(fresh: boolean): void {
    for (const connection of this.connections) {
      if (!connection.sendFreshness(fresh)) connection.request.owner?.fellBehind();
    }
  }

  #open(res: HttpResponse, req: HttpRequest): void {
    const { admission, corsHeaders, clock, maxTopics, report } = this.#deps;
    const caller = readCaller(res, req);
    const cors = corsHeaders(caller.origin, caller.host);
    const retryMs = RETRY_MIN_MS + clock.random() * (RETRY_MAX_MS - RETRY_MIN_MS);
    try {
      const greeting = parseConnectRequest(req.getQuery(), {
        maxTopics: Math.min(MAX_EVENT_TOPICS, maxTopics),
        authorization: req.getHeader('authorization'),
        lastEventId: req.getHeader('last-event-id'),
      });
      if (greeting.topics.size === 0) throw new AppError('invalid_topic');
      const key = admission.admit(caller);
      const listeners = this.#listeners;
      const connection = new UwsSseConnection({ res, since: greeting.topics, listeners, cors, retryMs });
      const { connections } = this;
      connection.request.start({ deps: this.#deps, key, greeting, connections, connection });
    } catch (error) {
      const refusal = toAppError(error);
      report.refused(refusal);
      refuseStream(res, refusal, { cors, retryMs });
    }
  }
}
