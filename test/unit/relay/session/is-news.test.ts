import { describe, expect, it } from 'vitest';
import { isNews } from '../../../../services/relay/session/is-news.ts';
import type { Pending } from '../../../../services/relay/session/session-topics.ts';
import type { Topic } from '../../../../services/shared/update/topic.ts';

const topic = 'chat' as Topic;
const SECOND_US = 1_000_000;
/** The broker's clock, which shows something quite different from ours. */
const BROKER_NOW_US = 5_000 * SECOND_US;
const JOINED_AT_MS = 70_000;

/** A hub whose topic has an update of so many seconds before somebody joined, by the broker's clock. */
const hubWithUpdate = (secondsBefore: number) => ({
  newestVersion: () => BROKER_NOW_US - secondsBefore * SECOND_US,
  brokerTimeAt: (_topic: Topic, atMs: number) => BROKER_NOW_US + (atMs - JOINED_AT_MS) * 1000,
});
const joined = (pending: Partial<Pending>): Pending => ({
  since: null,
  joinedAtMs: JOINED_AT_MS,
  saidNull: false,
  ...pending,
});
const current = { topic, version: 4_000 * SECOND_US };

describe('a client that joins', () => {
  it('is told where the number is not the one that it has, higher or lower', () => {
    for (const [since, told] of [
      [current.version, false],
      [current.version - 1, true],
      [current.version + 1, true],
      [0, true],
    ] as const) {
      expect(isNews(hubWithUpdate(1), joined({ since }), current, 'websocket')).toBe(told);
    }
  });

  it('is told where nobody could vouch for anything when it joined, however old the newest update is', () => {
    expect(isNews(hubWithUpdate(100_000), joined({ saidNull: true }), current, 'websocket')).toBe(true);
  });

  it('is told nothing where it has no number and shows what it has just fetched', () => {
    expect(isNews(hubWithUpdate(1), joined({}), current, 'websocket')).toBe(false);
  });

  it("is told of the last minute by the broker's clock, whatever ours shows, where it is of 2009", () => {
    expect(isNews(hubWithUpdate(59), joined({}), current, 'legacy')).toBe(true);
    expect(isNews(hubWithUpdate(61), joined({}), current, 'legacy')).toBe(false);
  });
});
