/** Measured values by name. */
export type Samples = Record<string, number[]>;

/** Adds a value to those of a name. */
export function collect(samples: Samples, name: string, value: number): void {
  samples[name] = [...(samples[name] ?? []), value];
}

/** Returns the samples with prefixed names. */
export function prefixed(prefix: string, samples: Samples): Samples {
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [`${prefix}: ${name}`, values]));
}

/** Returns median, minimum and maximum; NaN if there are no values. */
export function summarize(values: readonly number[] = []): { median: number; low: number; high: number } {
  return { median: quantile(values, 0.5), low: quantile(values, 0), high: quantile(values, 1) };
}

/** Returns a quantile, interpolated between two values; NaN if there are none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const [low = Number.NaN, high = low] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
  // Infinite costs have no difference.
  return low === high ? low : low + (high - low) * (position - Math.floor(position));
}

/** Returns the ratio of each value to the value of the same round in `base`. */
export function ratios(values: readonly number[] = [], base: readonly number[] = []): number[] {
  return values.map((value, i) => value / (base[i] ?? Number.NaN));
}

/** Formats median, minimum and maximum, such as `1.23 (1.20 to 1.31)`. */
export function showSummary(values: readonly number[] | undefined, digits: number): string {
  const { median, low, high } = summarize(values);
  const show = (value: number) => value.toFixed(digits);
  return (values?.length ?? 0) < 2 ? show(median) : `${show(median)} (${show(low)} to ${show(high)})`;
}
