import type { RequestListener } from 'node:http';
import type { Tracer } from '@opentelemetry/api';
import type { Part } from '../shared/process/lifecycle.ts';
import type { ServiceStats } from '../shared/trace/service-stats.ts';
import type { AttributeValue } from './store/records.ts';

/** What a service says of itself, such as how many connections it holds. */
export type Facts = Readonly<Record<string, AttributeValue>>;

/** The call statistics of a process. */
export interface ProcessStats extends Part {
  /**
   * What a service of this process records with. Where its callers are trusted, requests become parts of the traces
   * that they name. Where its calls are followed, each `fetch` for a request is recorded too, and whatever asks
   * OpenTelemetry's API what is going on finds the request. `facts` are asked for once a second.
   */
  service(
    name: string,
    options?: { trustsCallers?: boolean; followsCalls?: boolean; facts?: () => Facts },
  ): ServiceStats;
  /** What else records in this process, such as calls to Redis. */
  tracer(name: string): Tracer;
  /** Serves the pages at `/stats`; undefined where there are none. */
  readonly pages: RequestListener | undefined;
}
