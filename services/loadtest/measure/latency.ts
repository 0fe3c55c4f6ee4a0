import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
  type JsHistogram,
} from 'hdr-histogram-js';

/** Precision of the percentiles, in significant digits. */
const DIGITS = 3;
const HIGHEST_US = 3_600_000_000;

/** The number of latencies and their percentiles in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly 'p99.9': number;
  readonly max: number;
}

/** An HDR histogram of latencies in microseconds. Histograms are merged, percentiles never averaged. */
export class Latency {
  #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: DIGITS,
  });

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** Records a latency; negative ones, caused by slightly different clocks, count as 0. */
  record(ms: number): void {
    const us = Math.round(ms * 1000);
    this.#histogram.recordValue(us < 0 ? 0 : us > HIGHEST_US ? HIGHEST_US : us);
  }

  /**
   * Returns a quantile in milliseconds.
   * @param share from 0 to 1
   */
  quantile(share: number): number {
    return this.#histogram.getValueAtPercentile(share * 100) / 1000;
  }

  get maxMs(): number {
    return this.#histogram.maxValue / 1000;
  }

  /** Encodes and resets the histogram, to be merged by another process; undefined if it is empty. */
  take(): string | undefined {
    if (this.#histogram.totalCount === 0) return undefined;
    const text = encodeIntoCompressedBase64(this.#histogram);
    this.#histogram.reset();
    return text;
  }

  /** Merges the result of another histogram's `take`. */
  add(text: string | undefined): void {
    if (text === undefined) return;
    this.#histogram.add(decodeFromCompressedBase64(text) as JsHistogram);
  }

  /** Merges another histogram. */
  merge(other: Latency): void {
    this.#histogram.add(other.#histogram as JsHistogram);
  }

  /** Returns the percentiles; undefined if the histogram is empty. */
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

  /** Returns the quantiles that the number of values can resolve, as shares and milliseconds, for a plot. */
  curve(): readonly (readonly [share: number, ms: number])[] {
    if (this.count === 0) return [];
    const points: [number, number][] = [];
    for (let rest = 1; rest * this.count >= 1; rest /= 1.3) points.push([1 - rest, this.quantile(1 - rest)]);
    points.push([1, this.maxMs]);
    return points;
  }
}
