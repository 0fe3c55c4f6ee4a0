import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { RelayTelemetry } from '../../../../services/relay/telemetry/relay-telemetry.ts';
import { AppError } from '../../../../services/shared/errors.ts';
import { createLogger } from '../../../../services/shared/logger.ts';
import { VirtualTime } from '../../../support/virtual-time.ts';

let time: VirtualTime;
let steppedMs: number;
let lines: Record<string, unknown>[];
let telemetry: RelayTelemetry;
let registry: Registry;

beforeEach(() => {
  time = new VirtualTime();
  steppedMs = 0;
  lines = [];
  registry = new Registry();
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  telemetry = new RelayTelemetry({
    registry,
    logger: createLogger({ name: 'relay', level: 'info', destination }),
    clock: { ...time.clock(), nowMs: () => time.nowMs + steppedMs },
  });
});

const sentences = () => lines.map(({ msg }) => msg);

describe('the log of a relay', () => {
  it('has one line a minute if a full relay refuses clients, with their number, while each is counted', async () => {
    const full = new AppError('relay_full');
    for (let i = 0; i < 1000; i += 1) telemetry.refused(full);
    expect(lines).toMatchObject([{ level: 40, code: 'relay_full', times: 1, msg: 'refusing clients' }]);
    await time.runFor(60_000);
    for (let i = 0; i < 1000; i += 1) telemetry.refused(full);
    expect(lines.slice(1)).toMatchObject([{ code: 'relay_full', times: 1000 }]);
    expect(await registry.metrics()).toContain('relay_refusals_total{code="relay_full"} 2000');
  });

  it('has no line for the mistake of a client', () => {
    for (const code of ['unauthorized', 'topic_forbidden', 'invalid_topic', 'too_fast'] as const) {
      telemetry.refused(new AppError(code));
      telemetry.refused(new AppError(code));
    }
    telemetry.opened('websocket');
    telemetry.closed('websocket', 1006);
    telemetry.stuck();
    const client = { topics: [], supportsSpread: true, subscribedFrom: 0, bufferedBytes: 0 };
    telemetry.fellBehind(client, 1);
    telemetry.caughtUp(client);
    expect(lines).toEqual([]);
  });

  it('says once a minute that it refuses an origin, which one, and what a proxy may have to do with it', () => {
    const cause = { origin: 'https://push.example.org', host: 'relay:8080' };
    for (let i = 0; i < 1000; i += 1) telemetry.refused(new AppError('origin_forbidden', undefined, { cause }));
    expect(lines).toMatchObject([{ level: 40, code: 'origin_forbidden', err: cause }]);
    expect(lines[0]?.msg).toMatch(/ALLOWED_ORIGINS.*Host/);
  });

  it('names the cause of unavailable keys, and the stack of an internal error', () => {
    telemetry.refused(new AppError('keys_unavailable', undefined, { cause: new Error('no such host') }));
    telemetry.refused(new AppError('internal_error', undefined, { cause: new TypeError('a mistake') }));
    expect(lines).toMatchObject([
      { level: 40, code: 'keys_unavailable', err: { message: 'no such host' } },
      { level: 50, code: 'internal_error', err: { type: 'TypeError', stack: expect.stringContaining('a mistake') } },
    ]);
  });

  it('has a line for each change of freshness, with the time that it was stale', async () => {
    await time.runFor(120);
    telemetry.freshness(true);
    await time.runFor(1000);
    telemetry.freshness(false);
    steppedMs = 3_600_000; // the clock is set, which is no stale time
    await time.runFor(9000);
    telemetry.freshness(true);
    expect(await registry.metrics()).toContain('relay_stale_seconds_total 9.12\n');
    expect(lines).toMatchObject([{ staleMs: 120 }, { level: 40 }, { staleMs: 9000 }]);
  });

  it('has one line for a lost history, although every partition raises its floor', () => {
    for (let partition = 0; partition < 16; partition += 1) telemetry.floorRaised();
    expect(sentences()).toEqual(['floor raised: Redis may have lost updates; notifying all clients']);
  });
});
