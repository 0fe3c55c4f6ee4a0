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
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper);
  return { median: (lower + upper) / 2, low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN };
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
