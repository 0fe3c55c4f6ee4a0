/** What was measured, by who or what was measured. */
export type Samples = Record<string, number[]>;

/** Adds a number to those of its name. */
export function collect(samples: Samples, name: string, value: number): void {
  samples[name] = [...(samples[name] ?? []), value];
}

/** The same samples under longer names. */
export function prefixed(prefix: string, samples: Samples): Samples {
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [`${prefix}: ${name}`, values]));
}

/** The middle of the values, and the least and the greatest of them; NaN where there are none. */
export function summarize(values: readonly number[] = []): { median: number; low: number; high: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper);
  return { median: (lower + upper) / 2, low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN };
}

/** Each value against the one at its place in `base`: what was measured side by side. */
export function ratios(values: readonly number[] = [], base: readonly number[] = []): number[] {
  return values.map((value, i) => value / (base[i] ?? Number.NaN));
}

/** `1.23 (1.20 to 1.31)`: the median with all between which it lies. */
export function showSummary(values: readonly number[] | undefined, digits: number): string {
  const { median, low, high } = summarize(values);
  const show = (value: number) => value.toFixed(digits);
  return (values?.length ?? 0) < 2 ? show(median) : `${show(median)} (${show(low)} to ${show(high)})`;
}
