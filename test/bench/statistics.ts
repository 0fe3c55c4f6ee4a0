/** A number that was measured several times. */
export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The middle of the values, and the least and the greatest of them. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper);
  return { median: (lower + upper) / 2, low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN };
}

/** Each value against the one at its place in `base`: what was measured side by side. */
export function ratios(values: readonly number[], base: readonly number[]): number[] {
  return values.map((value, i) => value / (base[i] ?? Number.NaN));
}

/** `1.23 (1.20 to 1.31)`: the median with all between which it lies. */
export function showSummary(values: readonly number[], digits: number): string {
  const { median, low, high } = summarize(values);
  const show = (value: number) => value.toFixed(digits);
  return values.length < 2 ? show(median) : `${show(median)} (${show(low)} to ${show(high)})`;
}
