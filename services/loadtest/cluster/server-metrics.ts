import { SHARES } from '../measure/current-times.ts';

/** The sums of the relays' metrics. A value is undefined if a relay did not report it. */
export interface ServerFigures {
  readonly cpuS: number | undefined;
  readonly residentBytes: number | undefined;
  readonly deliveries: number | undefined;
  readonly conflated: number | undefined;
  readonly fellBehind: number | undefined;
  /** Deliveries of updates to the subscribers of a relay. */
  readonly fanouts: number | undefined;
  /** By share of the subscribers: how many updates were counted, and the sum of the times until they were current. */
  readonly current: readonly {
    readonly share: number;
    readonly count: number | undefined;
    readonly sumS: number | undefined;
  }[];
  /** CPU seconds of each relay, in the order of the URLs. */
  readonly cpuPerRelayS: readonly (number | undefined)[];
}

/** Returns the sum of a metric over its labels in the Prometheus text format; undefined if it is missing. */
export function sumOf(text: string, name: string): number | undefined {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  if (lines.length === 0) return undefined;
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Reads the metrics of all relays. If one does not respond in time, the sums are undefined rather than too low. */
export async function readServerFigures(
  urls: readonly string[],
  timeoutMs: number,
): Promise<ServerFigures | undefined> {
  if (urls.length === 0) return undefined;
  const texts = await Promise.all(
    urls.map(async (url) => {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
        return response.ok ? await response.text() : '';
      } catch {
        return '';
      }
    }),
  );
  const sum = (name: string) =>
    texts
      .map((text) => sumOf(text, name))
      .reduce((total, value) => (total === undefined || value === undefined ? undefined : total + value), 0);
  return {
    cpuS: sum('process_cpu_seconds_total'),
    residentBytes: sum('process_resident_memory_bytes'),
    deliveries: sum('relay_deliveries_total'),
    conflated: sum('relay_updates_conflated_total'),
    fellBehind: sum('relay_sessions_fell_behind_total'),
    fanouts: sum('relay_delivery_latency_seconds_count'),
    current: SHARES.map((share) => ({
      share,
      count: sum(`relay_subscribers_current_seconds_count{share="${share}"}`),
      sumS: sum(`relay_subscribers_current_seconds_sum{share="${share}"}`),
    })),
    cpuPerRelayS: texts.map((text) => sumOf(text, 'process_cpu_seconds_total')),
  };
}
