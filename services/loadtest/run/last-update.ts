import type { Judgement } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import type { Curve } from '../report/report.ts';

/** What a process of clients has answered, so many seconds after the last update was due. */
export type Check = Judgement & { readonly afterS: number };

/** How many clients were not up to date; undefined where it was not looked. */
export interface Behind {
  readonly clients: number | undefined;
  readonly slow: number | undefined;
}

/** Who was behind so long after the last update. Once nobody is, nobody looks any more: later, nobody was. */
export function behindAfter(checks: readonly Check[], afterS: number): Behind {
  const last = checks.at(-1);
  if (!last) return { clients: undefined, slow: undefined };
  const isOver = last.afterS < afterS;
  const some = checks.filter((check) => check.afterS === (isOver ? last.afterS : afterS));
  const clients = some.reduce((total, check) => total + check.behind, 0);
  const slow = some.reduce((total, check) => total + check.behindSlow, 0);
  // The test ended before it could look.
  if (isOver && clients + slow > 0) return { clients: undefined, slow: undefined };
  return { clients, slow };
}

/** After so long, whoever is still to be told is being told, or never will be. */
const LONG_S = 30;

/** Whether a later look would see nothing else: nobody is behind, or where that takes long, nobody was told since the look before. */
export function isSettled(checks: readonly Check[]): boolean {
  const last = checks.at(-1)?.afterS;
  const before = checks.findLast(({ afterS }) => afterS !== last)?.afterS;
  const behindAt = (at: number | undefined) =>
    checks.reduce((total, one) => (one.afterS === at ? total + one.behind + one.behindSlow : total), 0);
  return behindAt(last) === 0 || ((last ?? 0) >= LONG_S && behindAt(last) === behindAt(before));
}

/** Within how long which share of all clients had the last update of each of their topics, by the last look. */
export class LastTold {
  readonly #latency = new Latency();
  readonly #behind: number;

  constructor(checks: readonly Check[]) {
    const last = checks.filter((check) => check.afterS === checks.at(-1)?.afterS);
    for (const { told } of last) this.#latency.add(told);
    this.#behind = last.reduce((total, check) => total + check.behind, 0);
  }

  /** In milliseconds; undefined where this share never had it. */
  within(share: number): number | undefined {
    const { count } = this.#latency;
    const part = count === 0 ? 2 : (share * (count + this.#behind)) / count;
    return part > 1 ? undefined : this.#latency.quantile(part);
  }

  get curve(): Curve {
    return Array.from({ length: 201 }, (_, i) => i / 200).flatMap((share) => {
      const ms = this.within(share);
      return ms === undefined ? [] : [[share, ms] as const];
    });
  }
}
