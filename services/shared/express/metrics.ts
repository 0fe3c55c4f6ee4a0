import { Counter, Histogram, type Registry } from 'prom-client';
import type { ErrorCode } from '../errors.ts';
import type { RequestReport } from './measure.ts';

/**
 * Creates the request metrics of an Express app.
 *
 * @param deps.service the prefix of their names
 * @param deps.seenIn names, for their help texts, the panels and alerts that use them
 */
export function createRequestMetrics(deps: {
  registry: Registry;
  service: string;
  seenIn: { readonly requests: string; readonly duration: string; readonly refusals: string };
}): RequestReport {
  const { service, seenIn } = deps;
  const registers = [deps.registry];
  const requests = new Counter({
    name: `${service}_requests_total`,
    help: `Requests by HTTP status; aborted: the client disconnected before the response; dropped: over the limit of connections. ${seenIn.requests}`,
    labelNames: ['code'],
    registers,
  });
  const duration = new Histogram({
    name: `${service}_request_duration_seconds`,
    help: `Time from the headers of a request to the end of its response. ${seenIn.duration}`,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const refusals = new Counter({
    name: `${service}_refusals_total`,
    help: `Requests answered with an error, by error code. ${seenIn.refusals}`,
    labelNames: ['code'],
    registers,
  });
  const refused = (code: ErrorCode | undefined) => code && refusals.inc({ code });
  return {
    requestEnded(status, seconds, code) {
      requests.inc({ code: status ?? 'aborted' });
      duration.observe(seconds);
      refused(code);
    },
    requestRefused(status, code) {
      requests.inc({ code: status });
      refused(code);
    },
  };
}
