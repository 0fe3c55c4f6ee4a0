/** The sums of the relays' metrics. A value is undefined if a relay did not report it. */
export interface ServerFigures {
  readonly cpuS: number | undefined;
  readonly residentBytes: number | undefined;
  readonly deliveries: number | undefined;
  readonly conflated: number | undefined;
  readonly fellBehind: number | undefined;
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
    cpuPerRelayS: texts.map((text) => sumOf(text, 'process_cpu_seconds_total')),
  };
}
