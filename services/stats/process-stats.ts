import type { RequestListener } from 'node:http';
import type { Tracer } from '@opentelemetry/api';
import type { Part } from '../shared/process/lifecycle.ts';
import type { ServiceStats } from '../shared/trace/service-stats.ts';
import type { AttributeValue } from './store/records.ts';

/** Current state of a service for the dashboard, such as `connections`, `topics` and `fresh`. */
export type Facts = Readonly<Record<string, AttributeValue>>;

/** The call statistics of a process. */
export interface ProcessStats extends Part {
  /**
   * Returns what a service of this process records with.
   *
   * @param options.trustsCallers continue the trace in a request's `traceparent`, `verified` once its caller is; false by default
   * @param options.followsCalls record each `fetch` made for a request, and make the request's span active in
   *   OpenTelemetry's API, at a small cost for every promise; false by default
   * @param options.facts called once a second
   */
  service(
    name: string,
    options?: { trustsCallers?: boolean | 'verified'; followsCalls?: boolean; facts?: () => Facts },
  ): ServiceStats;
  /** Returns a tracer for other work of this process, such as calls to Redis. */
  tracer(name: string): Tracer;
  /** Serves the pages at `/stats`; undefined without `STATS_TOKEN`. */
  readonly pages: RequestListener | undefined;
}
