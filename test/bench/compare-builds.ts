import type { BenchResult } from './bench.ts';
import { quantile, ratios, showSummary } from './statistics.ts';

/** Part of the names of values of the other build; without it they are named as those of this build. */
export const OTHER_BUILD = ', other build';

/** Returns the suffix of the names of a build's values, and its folder: this build, and the other one if there is one. */
export function buildsOf(against: string | undefined): readonly { suffix: string; build?: string }[] {
  return [{ suffix: '' }, ...(against === undefined ? [] : [{ suffix: OTHER_BUILD, build: against }])];
}

/** A value that is worse by this share may be a regression. */
const TOLERANCE = 0.1;

/** How a value of this build compares with that of the other build. */
export interface Comparison {
  readonly name: string;
  /** This build relative to the other one in each round; above 1 is worse. */
  readonly ratios: readonly number[];
  /** What the ratios vary by from round to round: the distance of their quartiles; NaN for a single round. */
  readonly spread: number;
  /** Undefined if there is no telling: a single round, or values that are not above 0. */
  readonly verdict: 'regression' | 'better' | 'same' | undefined;
}

/**
 * Compares the values that a bench measured of both builds. A regression is one of more than 10 %, and of more than the spread
 * of the ratios in this run.
 */
export function compareBuilds({ samples, moreIsBetter = [] }: BenchResult): readonly Comparison[] {
  return Object.entries(samples).flatMap(([otherName, other]) => {
    const name = otherName.replace(OTHER_BUILD, '');
    const own = samples[name];
    if (name === otherName || !own) return [];
    const isRate = moreIsBetter.some((part) => name.includes(part));
    return [compare(name, isRate ? ratios(other, own) : ratios(own, other))];
  });
}

function compare(name: string, all: readonly number[]): Comparison {
  const spread = all.length < 2 ? Number.NaN : quantile(all, 0.75) - quantile(all, 0.25);
  return { name, ratios: all, spread, verdict: verdictOf(all, spread) };
}

function verdictOf(all: readonly number[], spread: number): Comparison['verdict'] {
  if (Number.isNaN(spread) || !all.every((ratio) => ratio > 0 && Number.isFinite(ratio))) return undefined;
  const median = quantile(all, 0.5);
  const limit = 1 + Math.max(TOLERANCE, spread);
  if (median > limit) return 'regression';
  return median < 1 / limit ? 'better' : 'same';
}

/** Returns the row of a comparison in the report. */
export function comparisonRow(bench: string, { name, ratios: all, spread, verdict }: Comparison): readonly string[] {
  const words = { regression: 'REGRESSION', better: 'better', same: '' };
  return [
    bench,
    name,
    showSummary(all, 2),
    Number.isNaN(spread) ? '' : `${(spread * 100).toFixed(0)} %`,
    verdict === undefined ? 'not comparable' : words[verdict],
  ];
}
