import type { RequestListener } from 'node:http';
import type { Tracer } from '@opentelemetry/api';
import type { Part } from '../shared/process/lifecycle.ts';
import type { ServiceStats } from '../shared/trace/service-stats.ts';
import type { AttributeValue, TopicList } from './store/records.ts';

/** Current state of a service for the dashboard, such as `connections`, `topics` and `fresh`. */
export type Facts = Readonly<Record<string, AttributeValue>>;

/** Where services of a process listen. */
export interface ServiceAddresses {
  readonly relay?: { readonly port: number; readonly tls: boolean };
  /** `callUrl` is its address for this process. */
  readonly webhook?: { readonly port: number; readonly callUrl: string };
}

/** The call statistics of a process. */
export interface ProcessStats extends Part {
  /**
   * Returns what a service of this process records with.
   *
   * @param options.trustsCallers continue the trace in a request's `traceparent`, `verified` once its caller is; false by default
   * @param options.followsCalls record each `fetch` made for a request, and make the request's span active in
   *   OpenTelemetry's API, at a small cost for every promise; false by default
   * @param options.facts called once a second
   * @param options.topics returns at most `limit` topics with subscribers that contain `search`, for the page for developers;
   *   called once a second while it is open
   */
  service(
    name: string,
    options?: {
      trustsCallers?: boolean | 'verified';
      followsCalls?: boolean;
      facts?: () => Facts;
      topics?: (search: string, limit: number) => TopicList;
    },
  ): ServiceStats;
  /** Returns a tracer for other work of this process, such as calls to Redis. */
  tracer(name: string): Tracer;
  /** Serves the pages at `/stats`; undefined without `STATS_TOKEN`. */
  readonly pages: RequestListener | undefined;
  /** Sets where services of this process listen, for the page for developers. */
  setAddresses(addresses: ServiceAddresses): void;
}
