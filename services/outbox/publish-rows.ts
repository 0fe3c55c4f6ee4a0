import { MAX_TOPICS_PER_REQUEST } from '../shared/protocol/publish-request.ts';
import type { BatchResult, OutboxRow } from './postgres-outbox-table.ts';
import type { CallWebhook } from './webhook-call.ts';

/** Calls of the webhook at a time. */
const MAX_CALLS = 8;
/** No call starts later: with the longest `WEBHOOK_TIMEOUT`, a batch ends before PostgreSQL ends its idle transaction. */
const MAX_START_MS = 20_000;

/**
 * Publishes one update for each topic of the rows, with the data of its last row. Topics without data share calls. Ends at the
 * first call that may succeed later, or after some time: what was published before counts, so that a slow webhook is no endless
 * loop.
 *
 * @param deps.nowMs returns the time by the monotonic clock
 */
export async function publishRows(
  rows: readonly OutboxRow[],
  deps: { call: CallWebhook; nowMs: () => number },
): Promise<BatchResult> {
  const { call, nowMs } = deps;
  const endMs = nowMs() + MAX_START_MS;
  const topics = new Map<string, OutboxRow[]>();
  for (const row of rows) topics.set(row.topic, [...(topics.get(row.topic) ?? []), row]);
  const newest = [...topics.values()].map((sameTopic) => sameTopic.at(-1)).filter((row) => row !== undefined);
  const signals = newest.filter(({ data }) => data === null);
  const calls = [
    ...chunks(signals, MAX_TOPICS_PER_REQUEST),
    ...chunks(
      newest.filter(({ data }) => data !== null),
      1,
    ),
  ];
  const codes = new Map<string, string>();
  const done: string[] = [];
  let failure: Error | undefined;

  async function publish(group: readonly OutboxRow[]): Promise<void> {
    if (failure || nowMs() >= endMs) return;
    let code: string | undefined;
    try {
      code = await call(bodyOf(group));
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      return;
    }
    if (code === undefined) done.push(...group.map(({ topic }) => topic));
    else if (group.length === 1) codes.set(group[0]?.topic ?? '', code);
    else for (const row of group) await publish([row]); // the webhook refuses all for one
  }

  for (const together of chunks(calls, MAX_CALLS)) await Promise.all(together.map(publish));
  const idsOf = (topic: string) => (topics.get(topic) ?? []).map(({ id }) => id);
  const refused = new Map<string, string[]>();
  for (const [topic, code] of codes) refused.set(code, [...(refused.get(code) ?? []), ...idsOf(topic)]);
  return { published: done.flatMap(idsOf), refused, failure };
}

/** Encodes a call; `data` is passed on as it was written. */
function bodyOf(group: readonly OutboxRow[]): string {
  const [{ topic, data } = { topic: '', data: null }] = group;
  if (data !== null) return `{"topic":${JSON.stringify(topic)},"data":${data}}`;
  return JSON.stringify({ topics: group.map((row) => row.topic) });
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}
