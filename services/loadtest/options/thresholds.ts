import { parseDurationMs } from '../../shared/config/units.ts';

const SHARES = [
  'failed',
  'lost',
  'behind-1s',
  'behind-5s',
  'behind-30s',
  'behind-120s',
  'publish-failed',
  'conflated',
] as const;
const LATENCIES = ['p50', 'p90', 'p99', 'p99.9', 'max'] as const;

/** The names of all thresholds. */
export const THRESHOLD_NAMES: readonly ThresholdName[] = [...SHARES, ...LATENCIES];

/** The result that a threshold limits. */
export type ThresholdName = (typeof SHARES)[number] | (typeof LATENCIES)[number];

/** The upper limit of a result: a share from 0 to 1, or milliseconds. */
export interface Threshold {
  readonly name: ThresholdName;
  readonly limit: number;
}

/** A threshold with the measured value. A value that was not measured (undefined) does not pass. */
export interface ThresholdResult extends Threshold {
  readonly value: number | undefined;
  readonly passed: boolean;
}

/** Tells a share from a latency. */
export function isShare(name: ThresholdName): boolean {
  return (SHARES as readonly string[]).includes(name);
}

/** Parses `5%` or `0.1%` into a share from 0 to 1; undefined if invalid. */
export function parseShare(text: string): number | undefined {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text) ?? [];
  if (digits === undefined || Number(digits) > 100) return undefined;
  return Number(digits) / 100;
}

/** Parses `p99=250ms` or `failed=0.1%`; undefined if invalid. */
export function parseThreshold(text: string): Threshold | undefined {
  const [, name = '', value = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (!(THRESHOLD_NAMES as readonly string[]).includes(name)) return undefined;
  const limit = isShare(name as ThresholdName) ? parseShare(value) : parseDurationMs(value);
  return limit === undefined ? undefined : { name: name as ThresholdName, limit };
}

/** Compares the measured values with the thresholds. */
export function evaluateThresholds(
  thresholds: readonly Threshold[],
  measured: Readonly<Partial<Record<ThresholdName, number | undefined>>>,
): readonly ThresholdResult[] {
  return thresholds.map(({ name, limit }) => {
    const value = measured[name];
    return { name, limit, value, passed: value !== undefined && value <= limit };
  });
}
