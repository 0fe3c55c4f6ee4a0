import { MAX_TOPICS_PER_REQUEST } from '../shared/protocol/publish-request.ts';
import type { BatchResult, OutboxRow } from './postgres-outbox-table.ts';
import type { CallWebhook } from './webhook-call.ts';

/** Calls of the webhook at a time. */
const MAX_CALLS = 8;
/** Limit of the body of a call with several `data`. One alone may be larger; the webhook takes 64 KiB. */
const MAX_BODY_BYTES = 60_000;
/** No call starts later: with the longest `WEBHOOK_TIMEOUT`, a batch ends before PostgreSQL ends its idle transaction. */
const MAX_START_MS = 20_000;

/**
 * Publishes one update for each topic of the rows, with the data of its last row. Topics share calls. Ends at the
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
  const calls = groups(newest);
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

/** Groups rows into calls. */
function groups(rows: readonly OutboxRow[]): OutboxRow[][] {
  const calls: OutboxRow[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const row of rows) {
    const group = calls.at(-1);
    const rowBytes = Buffer.byteLength(updateOf(row)) + 1;
    if (group && group.length < MAX_TOPICS_PER_REQUEST && bytes + rowBytes <= MAX_BODY_BYTES) {
      group.push(row);
      bytes += rowBytes;
    } else {
      calls.push([row]);
      bytes = rowBytes;
    }
  }
  return calls;
}

/** Encodes a call. */
function bodyOf(group: readonly OutboxRow[]): string {
  if (group.every(({ data }) => data === null)) return JSON.stringify({ topics: group.map(({ topic }) => topic) });
  const updates = group.map(updateOf);
  return updates.length === 1 ? String(updates) : `{"updates":[${updates}]}`;
}

/** Encodes an update; `data` is passed on as it was written. */
function updateOf({ topic, data }: OutboxRow): string {
  return data === null ? JSON.stringify({ topic }) : `{"topic":${JSON.stringify(topic)},"data":${data}}`;
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, i) => items.slice(i * size, (i + 1) * size));
}
