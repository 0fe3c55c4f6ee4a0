import type { CheckResult } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import type { Curve } from '../report/report.ts';

/** The times at which the clients are checked, in seconds after the last update was due. */
export const CHECKS_S = [1, 5, 30, 120] as const;

/** The result of one client process for one of these checks. */
export type Check = CheckResult & { readonly afterS: number };

/** The number of clients that were not up to date; undefined if this was not checked. */
export interface Behind {
  readonly clients: number | undefined;
  readonly slow: number | undefined;
}

/**
 * Returns the clients that were behind `afterS` seconds after the last update. Checks end once no client is behind, so
 * this also holds for later times.
 */
export function behindAfter(checks: readonly Check[], afterS: number): Behind {
  const last = checks.at(-1);
  if (!last) return { clients: undefined, slow: undefined };
  const isAfterLast = last.afterS < afterS;
  const some = checks.filter((check) => check.afterS === (isAfterLast ? last.afterS : afterS));
  const clients = some.reduce((total, check) => total + check.behind, 0);
  const slow = some.reduce((total, check) => total + check.behindSlow, 0);
  // The test ended before this check.
  if (isAfterLast && clients + slow > 0) return { clients: undefined, slow: undefined };
  return { clients, slow };
}

/** From then on, clients that made no progress between two checks are not expected to catch up. */
const LONG_S = 30;

/** Tells whether further checks are pointless: no client is behind, or none caught up since the previous check. */
export function isFinal(checks: readonly Check[]): boolean {
  const last = checks.at(-1)?.afterS;
  const previous = checks.findLast(({ afterS }) => afterS !== last)?.afterS;
  const behindAt = (afterS: number | undefined) =>
    checks.reduce((total, check) => (check.afterS === afterS ? total + check.behind + check.behindSlow : total), 0);
  return behindAt(last) === 0 || ((last ?? 0) >= LONG_S && behindAt(last) === behindAt(previous));
}

/** The distribution, over all clients, of the time until they had the last update of each of their topics. */
export class LastUpdateLatency {
  readonly #latency = new Latency();
  readonly #behind: number;

  /** Uses the last of the checks. */
  constructor(checks: readonly Check[]) {
    const last = checks.filter((check) => check.afterS === checks.at(-1)?.afterS);
    for (const { notified } of last) this.#latency.add(notified);
    this.#behind = last.reduce((total, check) => total + check.behind, 0);
  }

  /**
   * Returns the time within which a share of the clients was up to date, in milliseconds; undefined if it never was.
   * @param share from 0 to 1
   */
  within(share: number): number | undefined {
    const { count } = this.#latency;
    const quantile = count === 0 ? 2 : (share * (count + this.#behind)) / count;
    return quantile > 1 ? undefined : this.#latency.quantile(quantile);
  }

  get curve(): Curve {
    return Array.from({ length: 201 }, (_, i) => i / 200).flatMap((share) => {
      const ms = this.within(share);
      return ms === undefined ? [] : [[share, ms] as const];
    });
  }
}
