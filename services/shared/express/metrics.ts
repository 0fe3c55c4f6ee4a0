import { Counter, Histogram, type Registry } from 'prom-client';
import type { RequestReport } from './measure.ts';

/**
 * Turns what an Express app reports of its requests into metrics, whose names begin with the service's. `seenIn` says
 * in their help where the two are looked at.
 */
export function createRequestMetrics(deps: {
  registry: Registry;
  service: string;
  seenIn: { readonly requests: string; readonly duration: string };
}): RequestReport {
  const { service, seenIn } = deps;
  const registers = [deps.registry];
  const requests = new Counter({
    name: `${service}_requests_total`,
    help: `Requests by the HTTP status of their answer; aborted: the sender went away before; dropped: one connection too many. ${seenIn.requests}`,
    labelNames: ['code'],
    registers,
  });
  const duration = new Histogram({
    name: `${service}_request_duration_seconds`,
    help: `Time from the head of a request to the end of its answer. ${seenIn.duration}`,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  return {
    requestEnded(status, seconds) {
      requests.inc({ code: status ?? 'aborted' });
      duration.observe(seconds);
    },
    requestRefused: (code) => requests.inc({ code }),
  };
}
