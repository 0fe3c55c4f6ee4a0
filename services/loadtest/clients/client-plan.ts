import type { Target } from '../wire/target.ts';
import type { TopicChoice } from './topic-choice.ts';
import type { Mix } from './transports.ts';

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

/**
 * When the oldest update of a topic was due that is younger than `afterMs`, in milliseconds: what a frame that says
 * nothing may have been about.
 */
export function oldestDueMs(schedule: Schedule, options: { topic: number; topics: number; afterMs: number }): number {
  const { topic, topics, afterMs } = options;
  const { startMs, intervalMs } = schedule;
  const round = Math.max(0, Math.floor(((afterMs - startMs) / intervalMs - topic) / topics) + 1);
  return startMs + (topic + round * topics) * intervalMs;
}
