/** The due times of the updates: update n (from 0), of topic `n % topics`, is due at `startMs + n * intervalMs`. */
export interface UpdateSchedule {
  readonly startMs: number;
  readonly intervalMs: number;
}

/** The topics that a client is subscribed to, in ascending order, and the number of all topics. */
export interface Subscription {
  readonly own: readonly number[];
  readonly topics: number;
}

/** Returns the due time of update n (from 0) among the updates of a subscription. */
export function dueMsOf({ startMs, intervalMs }: UpdateSchedule, { own, topics }: Subscription, n: number): number {
  const round = Math.floor(n / own.length);
  return startMs + (round * topics + (own[n % own.length] ?? 0)) * intervalMs;
}

/** Returns the first update of a subscription that is due at `fromMs` or later. */
export function firstDueFrom(
  { startMs, intervalMs }: UpdateSchedule,
  { own, topics }: Subscription,
  fromMs: number,
): number {
  const turn = Math.max(0, Math.ceil((fromMs - startMs) / intervalMs));
  const before = own.filter((topic) => topic < turn % topics).length;
  return Math.floor(turn / topics) * own.length + before;
}
