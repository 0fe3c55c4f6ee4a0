import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
  type JsHistogram,
} from 'hdr-histogram-js';

/** Within how much of the truth a percentile is: three digits. */
const DIGITS = 3;
const HIGHEST_US = 3_600_000_000;

/** What is shown of a histogram, in milliseconds; undefined where nothing was recorded. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly 'p99.9': number;
  readonly max: number;
}

/** Latencies as an HDR histogram of microseconds. Several of them are merged, never averaged. */
export class Latency {
  #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: DIGITS,
  });

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** Notes one; below zero, where clocks differ by a little, counts as none. */
  record(ms: number): void {
    const us = Math.round(ms * 1000);
    this.#histogram.recordValue(us < 0 ? 0 : us > HIGHEST_US ? HIGHEST_US : us);
  }

  /** The latency that this share (0 to 1) stays within, in milliseconds. */
  quantile(share: number): number {
    return this.#histogram.getValueAtPercentile(share * 100) / 1000;
  }

  get maxMs(): number {
    return this.#histogram.maxValue / 1000;
  }

  /** What was recorded since the last `take` as text, for another process; undefined where nothing was. */
  take(): string | undefined {
    if (this.#histogram.totalCount === 0) return undefined;
    const text = encodeIntoCompressedBase64(this.#histogram);
    this.#histogram.reset();
    return text;
  }

  /** Adds what another process has taken. */
  add(text: string | undefined): void {
    if (text === undefined) return;
    this.#histogram.add(decodeFromCompressedBase64(text) as JsHistogram);
  }

  /** Adds another one. */
  merge(other: Latency): void {
    this.#histogram.add(other.#histogram as JsHistogram);
  }

  summary(): LatencySummary | undefined {
    if (this.count === 0) return undefined;
    return {
      count: this.count,
      p50: this.quantile(0.5),
      p90: this.quantile(0.9),
      p99: this.quantile(0.99),
      'p99.9': this.quantile(0.999),
      max: this.maxMs,
    };
  }

  /** The curve of all quantiles as far as there is anything to tell them apart, for a plot: shares and milliseconds. */
  curve(): readonly (readonly [share: number, ms: number])[] {
    if (this.count === 0) return [];
    const points: [number, number][] = [];
    for (let rest = 1; rest * this.count >= 1; rest /= 1.3) points.push([1 - rest, this.quantile(1 - rest)]);
    points.push([1, this.maxMs]);
    return points;
  }
}
