import type { Target } from '../wire/target.ts';
import type { TopicChoice } from './topic-assignment.ts';
import type { Mix } from './transport-mix.ts';

/** What a process of clients is to do. */
export interface ClientPlan {
  /** Its clients are those with the numbers `first`, `first + step`, …: `count` of them. */
  readonly first: number;
  readonly step: number;
  readonly count: number;
  readonly targets: readonly Target[];
  /** Where its connections come from, in turn; none lets the system choose. */
  readonly sourceAddresses: readonly string[];
  readonly choice: TopicChoice;
  readonly mix: Mix;
  readonly slowShare: number;
  readonly slowPauseMs: number;
  readonly rampMs: number;
  /** Clients that go and come back each second, of this process. */
  readonly churnPerSecond: number;
  /** A JWT for private topics. */
  readonly token: string | undefined;
}

/** When updates are due: the n-th (from 0) at `startMs + n * intervalMs`, of topic `n % topics`. */
export interface Schedule {
  readonly startMs: number;
  readonly intervalMs: number;
}

/** What a client is told of: its topics in their order, out of so many in all. */
export interface Audience {
  readonly own: readonly number[];
  readonly topics: number;
}

/** When the n-th update (from 0) is due of those that a client is told of. */
export function nthDueMs({ startMs, intervalMs }: Schedule, { own, topics }: Audience, n: number): number {
  const round = Math.floor(n / own.length);
  return startMs + (round * topics + (own[n % own.length] ?? 0)) * intervalMs;
}

/** Which of them is the first that is due at this time or later. */
export function firstDueFrom({ startMs, intervalMs }: Schedule, { own, topics }: Audience, fromMs: number): number {
  const turn = Math.max(0, Math.ceil((fromMs - startMs) / intervalMs));
  const before = own.filter((topic) => topic < turn % topics).length;
  return Math.floor(turn / topics) * own.length + before;
}
