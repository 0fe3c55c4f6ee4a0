import { AppError, toAppError } from '../../../shared/errors.ts';
import type { Update } from '../../../shared/update/update.ts';
import type { HttpRequest, HttpResponse } from '../../engine/engine.ts';
import { parseTriesLeft, readCaller } from '../caller.ts';
import { parseConnectRequest } from '../connect-request.ts';
import { omitBody } from '../http/http-response.ts';
import { HttpTransport, type HttpTransportDeps } from '../http/http-transport.ts';
import { JSON_ENCODER } from '../message-encoder.ts';
import { SseConnection, type SseFormat } from './sse-connection.ts';
import { MAX_EVENT_TOPICS, refuseStream } from './sse-stream.ts';

/** Range of the random delay after which a browser reconnects a lost stream, in milliseconds. */
const RETRY_MIN_MS = 1000;
export const RETRY_MAX_MS = 4000;

/** Server-Sent Events at `/events`, for which a browser's `EventSource` is a complete client: it resumes where it was. */
export class SseTransport extends HttpTransport<SseConnection> {
  readonly #deps: HttpTransportDeps & { readonly maxTopics: number };

  constructor(deps: HttpTransportDeps & { maxTopics: number }) {
    super(deps);
    this.#deps = deps;
    deps.app.get('/events', (res, req) => this.#connect(res, req));
    deps.app.head('/events', (res, req) => this.#connect(omitBody(res), req));
  }

  protected render(update: Update): string {
    return JSON_ENCODER.update(update);
  }

  #connect(res: HttpResponse, req: HttpRequest): void {
    const { admission, corsHeaders, clock, maxTopics, report } = this.#deps;
    const caller = readCaller(res, req, parseTriesLeft(req.getQuery()));
    const cors = corsHeaders(caller.origin, caller.host);
    const retryMs = RETRY_MIN_MS + clock.random() * (RETRY_MAX_MS - RETRY_MIN_MS);
    try {
      const request = parseConnectRequest(req.getQuery(), {
        maxTopics: Math.min(MAX_EVENT_TOPICS, maxTopics),
        authorization: req.getHeader('authorization'),
        lastEventId: req.getHeader('last-event-id'),
      });
      const format = parseFormat(req.getQuery());
      const since = request.topics;
      if (since.size === 0) throw new AppError('invalid_topic', 'The URL must have a topic: /events?topic=chat');
      const admissionKey = admission.admit(caller, 'sse', since.size);
      this.open(new SseConnection({ host: this, res, admissionKey, since, cors, retryMs, format }), request);
    } catch (error) {
      const refusal = toAppError(error);
      report.refused(refusal);
      refuseStream(res, refusal, { cors, retryMs });
    }
  }
}

/** @throws {AppError} `unknown_format` */
function parseFormat(query: string): SseFormat {
  const format = new URLSearchParams(query).get('format') ?? 'json';
  if (format !== 'json' && format !== 'turbo') {
    throw new AppError('unknown_format', 'format must be json, which is the default, or turbo');
  }
  return format;
}
