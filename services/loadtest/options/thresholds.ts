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

/** Everything that a threshold can look at. */
export const THRESHOLD_NAMES: readonly ThresholdName[] = [...SHARES, ...LATENCIES];

/** What a threshold looks at. */
export type ThresholdName = (typeof SHARES)[number] | (typeof LATENCIES)[number];

/** The most that a figure may be: a share from 0 to 1, or milliseconds. */
export interface Threshold {
  readonly name: ThresholdName;
  readonly most: number;
}

/** A threshold against what was measured; `value` is undefined where nothing was, which does not keep it. */
export interface Verdict extends Threshold {
  readonly value: number | undefined;
  readonly isKept: boolean;
}

/** Whether the threshold is a share, not a time. */
export function isShare(name: ThresholdName): boolean {
  return (SHARES as readonly string[]).includes(name);
}

/** Reads `5%` or `0.1%` as a share from 0 to 1; undefined where it is none. */
export function parseShare(text: string): number | undefined {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text) ?? [];
  if (digits === undefined || Number(digits) > 100) return undefined;
  return Number(digits) / 100;
}

/** Reads `p99=250ms` or `failed=0.1%`; undefined where it is none. */
export function parseThreshold(text: string): Threshold | undefined {
  const [, name = '', limit = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (!(THRESHOLD_NAMES as readonly string[]).includes(name)) return undefined;
  const most = isShare(name as ThresholdName) ? parseShare(limit) : parseDurationMs(limit);
  return most === undefined ? undefined : { name: name as ThresholdName, most };
}

/** Judges what was measured. */
export function judge(
  thresholds: readonly Threshold[],
  measured: Readonly<Partial<Record<ThresholdName, number | undefined>>>,
): readonly Verdict[] {
  return thresholds.map(({ name, most }) => {
    const value = measured[name];
    return { name, most, value, isKept: value !== undefined && value <= most };
  });
}
