import { AppError, toAppError } from '../../../shared/errors.ts';
import { encodeRegister } from '../../../shared/protocol/server-message.ts';
import type { Update } from '../../../shared/update/update.ts';
import type { HttpRequest, HttpResponse } from '../../engine/engine.ts';
import { readCaller } from '../caller.ts';
import { parseToken } from '../connect-request.ts';
import { omitBody, sendProblem } from '../http/http-response.ts';
import { HttpTransport, type HttpTransportDeps } from '../http/http-transport.ts';
import { LongPollConnection } from './long-poll-connection.ts';
import { parseTopicRequest } from './topic-request.ts';

const PATH = '/topics/';

/**
 * The register of a topic at `/topics/<topic>` or `/topics/?topic=<topic>`. Waits for a newer version if the client asks for that. All waiting clients
 * get the same bytes, so that a cache can collapse their requests into one.
 */
export class LongPollTransport extends HttpTransport<LongPollConnection> {
  readonly #deps: HttpTransportDeps & { readonly maxWaiting: number };

  /** @param deps.maxWaiting requests that may wait at a time; 0 for no limit */
  constructor(deps: HttpTransportDeps & { maxWaiting: number }) {
    super(deps);
    this.#deps = deps;
    deps.app.get(`${PATH}*`, (res, req) => this.#connect(res, req));
    deps.app.head(`${PATH}*`, (res, req) => this.#connect(omitBody(res), req));
  }

  protected render(update: Update): string {
    return encodeRegister(update);
  }

  #connect(res: HttpResponse, req: HttpRequest): void {
    const { admission, corsHeaders, clock, maxWaiting, report } = this.#deps;
    const caller = readCaller(res, req);
    const cors = corsHeaders(caller.origin, caller.host);
    try {
      const query = new URLSearchParams(req.getQuery());
      const request = parseTopicRequest({
        path: req.getUrl().slice(PATH.length),
        query,
        ifNoneMatch: req.getHeader('if-none-match'),
        prefer: req.getHeader('prefer'),
      });
      const token = parseToken(query, req.getHeader('authorization'));
      if (maxWaiting > 0 && this.connections.size >= maxWaiting) throw new AppError('relay_full');
      const admissionKey = admission.admit(caller, 'long-poll', 1);
      const isPublic = token === undefined;
      this.open(new LongPollConnection({ host: this, res, admissionKey, request, cors, clock, isPublic }), {
        topics: new Map([[request.topic, request.known && Math.max(0, ...request.known)]]),
        token,
      });
    } catch (error) {
      const refusal = toAppError(error);
      report.refused(refusal);
      sendProblem(res, refusal, cors);
    }
  }
}
