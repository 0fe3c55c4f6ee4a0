import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRelayMetrics } from '../../../../services/relay/telemetry/metrics.ts';
import { logRelay } from '../../../../services/relay/telemetry/relay-log.ts';
import { AppError } from '../../../../services/shared/errors.ts';
import { createLogger } from '../../../../services/shared/logger.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

const gauges = { sockets: () => 0, topics: () => 0, digestAgeMs: () => 0 };

let time: VirtualTime;
let steppedMs: number;
let lines: Record<string, unknown>[];
let reports: ReturnType<typeof createRelayMetrics>;
let registry: Registry;

beforeEach(() => {
  time = new VirtualTime();
  steppedMs = 0;
  lines = [];
  registry = new Registry();
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const counted = createRelayMetrics({
    registry,
    clock: { ...time.clock(), nowMs: () => time.nowMs + steppedMs },
    ...gauges,
  });
  reports = logRelay(counted, {
    logger: createLogger({ name: 'relay', level: 'info', destination }),
    clock: time.clock(),
  });
});

const sentences = () => lines.map(({ msg }) => msg);

describe('the log of a relay', () => {
  it('says once a minute that clients are refused for want of room, and how often, while each is counted', async () => {
    const full = new AppError('relay_full');
    for (let i = 0; i < 1000; i += 1) reports.connection.refused(full);
    expect(lines).toMatchObject([{ level: 40, code: 'relay_full', times: 1, msg: 'clients are refused' }]);
    await time.runFor(60_000);
    for (let i = 0; i < 1000; i += 1) reports.connection.refused(full);
    expect(lines.slice(1)).toMatchObject([{ code: 'relay_full', times: 1000 }]);
    expect(await registry.metrics()).toContain('relay_refusals_total{code="relay_full"} 2000');
  });

  it('says nothing of what a client does wrong', () => {
    for (const code of ['unauthorized', 'topic_forbidden', 'invalid_topic', 'too_fast'] as const) {
      reports.session.refused(new AppError(code));
      reports.connection.refused(new AppError(code));
    }
    reports.connection.opened('websocket');
    reports.connection.closed('websocket', 1006);
    reports.connection.stuck();
    reports.session.fellBehind();
    reports.session.caughtUp();
    expect(lines).toEqual([]);
  });

  it('says why keys cannot be read, and keeps the stack of a mistake of ours', () => {
    reports.session.refused(new AppError('keys_unavailable', undefined, { cause: new Error('no such host') }));
    reports.connection.refused(new AppError('internal_error', undefined, { cause: new TypeError('a mistake') }));
    expect(lines).toMatchObject([
      { level: 40, code: 'keys_unavailable', err: { message: 'no such host' } },
      { level: 50, code: 'internal_error', err: { type: 'TypeError', stack: expect.stringContaining('a mistake') } },
    ]);
  });

  it('says when it can vouch, and no more, and again', async () => {
    await time.runFor(120);
    reports.hub.freshness(true);
    await time.runFor(1000);
    reports.hub.freshness(false);
    steppedMs = 3_600_000; // somebody sets the clock: an hour more is no hour without freshness
    await time.runFor(9000);
    reports.hub.freshness(true);
    expect(await registry.metrics()).toContain('relay_stale_seconds_total 9.12\n');
    expect(lines).toMatchObject([{ staleMs: 120 }, { level: 40 }, { staleMs: 9000 }]);
  });

  it('says once that Redis forgot, though each partition finds it out', () => {
    for (let partition = 0; partition < 16; partition += 1) reports.hub.floorRaised();
    expect(sentences()).toEqual(['Redis may have lost updates: all clients are told to look once']);
  });
});
