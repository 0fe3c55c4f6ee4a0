import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { AppError, toAppError } from '../../../shared/errors.ts';
import type { Update } from '../../../shared/update/update.ts';
import { parseConnectRequest } from '../connect-request.ts';
import { sendProblem } from '../http/uws-problem.ts';
import type { HttpTransportDeps } from '../http/uws-request.ts';
import { TopicSubscribers } from '../topic-subscribers.ts';
import type { Transport } from '../transport.ts';
import { readCaller } from '../uws-caller.ts';
import { parseTopicRequest } from './topic-request.ts';
import { renderTopic, UwsLongPollConnection } from './uws-long-poll-connection.ts';

const PATH = '/topics/';

/**
 * The register over HTTP at `/topics/<topic>`, which waits for a change where the asker prefers that. All who wait
 * get the same bytes, so that a cache can ask once for all of them.
 */
export class UwsLongPoll implements Transport {
  readonly #deps: HttpTransportDeps & { readonly maxWaiting: number };
  readonly #listeners = new TopicSubscribers<UwsLongPollConnection>();
  readonly connections = new Set<UwsLongPollConnection>();

  constructor(deps: HttpTransportDeps & { maxWaiting: number }) {
    this.#deps = deps;
    deps.app.get(`${PATH}*`, (res, req) => this.#open(res, req));
  }

  deliver(update: Update): number {
    const listeners = this.#listeners.of(update.topic);
    if (listeners.length === 0) return 0;
    const text = renderTopic(update);
    for (const connection of listeners) connection.sendRendered(update, text);
    return listeners.length;
  }

  sendFreshness(fresh: boolean): void {
    for (const connection of this.connections) connection.sendFreshness(fresh);
  }

  #open(res: HttpResponse, req: HttpRequest): void {
    const { admission, corsHeaders, clock, maxWaiting, report } = this.#deps;
    const caller = readCaller(res, req);
    const cors = corsHeaders(caller.origin, caller.host);
    try {
      const asked = parseTopicRequest({
        path: req.getUrl().slice(PATH.length),
        ifNoneMatch: req.getHeader('if-none-match'),
        prefer: req.getHeader('prefer'),
      });
      const authorization = req.getHeader('authorization');
      const { token } = parseConnectRequest(req.getQuery(), { maxTopics: 0, authorization });
      const { connections } = this;
      if (maxWaiting > 0 && connections.size >= maxWaiting) throw new AppError('relay_full');
      const key = admission.admit(caller);
      const isPublic = token === undefined;
      const listeners = this.#listeners;
      const connection = new UwsLongPollConnection({ res, asked, listeners, cors, clock, isPublic });
      const greeting = { topics: new Map([[asked.topic, asked.since]]), token };
      connection.request.start({ deps: this.#deps, key, greeting, connections, connection });
    } catch (error) {
      const refusal = toAppError(error);
      report.refused(refusal);
      sendProblem(res, refusal, cors);
    }
  }
}
