import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Report } from '../../services/loadtest/report/report.ts';
import { eventually } from '../support/eventually.ts';
import { type LoadTestProcess, startLoadTest } from '../support/load-test-process.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/** The processes below this one. */
function descendantsOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

describe('a load test with a cluster of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-report-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const [json, html] = [join(folder, 'report.json'), join(folder, 'report.html')];

  it('tells 2,000 clients of every update, and says so as text, JSON and a page', async () => {
    const thresholds = '--threshold=failed=0%,lost=0%,publish-failed=0%,conflated=0%,behind-5s=0%';
    const files = [`--json=${json}`, `--html=${html}`];
    const test = startLoadTest(['--preset=smoke', '--rate=2', '--duration=4s', thresholds, ...files]);
    const { code, output, progress } = await test.ended;
    expect(output).toMatch(/^ {2}opened +2,000 of 2,000$/m);
    expect(progress).toMatch(/2,000 clients in \d+ process/);
    const report: Report = JSON.parse(readFileSync(json, 'utf8'));
    expect(report).toMatchObject({
      ended: 'completed',
      clients: { opened: 2000, open: 2000, failed: {}, lost: {}, handshakes: 2000 },
      updates: { due: 8, accepted: 8, failed: {}, repeated: {} },
      deliveries: { total: 16_000, skipped: 0, repeated: 0, caughtUp: 0 },
      latency: { count: 16_000 },
    });
    // The relays count what they hand over, and so do their clients.
    expect(report.server.cpuPerDeliveryUs).toBeGreaterThan(0);
    expect(report.told.p50).toBeLessThanOrEqual(report.told.p100 ?? 0);
    expect(report.verdicts.filter(({ isKept }) => !isKept)).toEqual([]);
    expect(code).toBe(0);
    expect(readFileSync(html, 'utf8')).toMatch(/<h1>2,000 clients, all told within [\d.]+ m?s<\/h1>/);
  }, 60_000);

  it('reports so far after Ctrl-C, and leaves nothing behind', async () => {
    const test = startLoadTest(['--clients=200', '--ramp=1s', '--duration=10m', '--json=-']);
    await eventually(() => expect(test.progress()).toContain('updates are published'), 30_000);
    const processes = descendantsOf(test.pid);
    expect(processes.length).toBeGreaterThan(2);
    test.kill('SIGINT');
    const { code, report } = await test.ended;
    expect(code).toBe(130);
    expect(report).toMatchObject({ ended: 'interrupted', clients: { opened: 200 } });
    expect(report?.verdicts.find(({ name }) => name === 'behind-30s')).toMatchObject({ isKept: false });
    expect(processes.filter(isAlive)).toEqual([]);
  }, 60_000);

  it('leaves nothing behind either where it is killed', async () => {
    const test = startLoadTest(['--clients=20', '--ramp=0s', '--duration=10m']);
    await eventually(() => expect(test.progress()).toContain('updates are published'), 30_000);
    const processes = descendantsOf(test.pid);
    test.kill('SIGKILL');
    await test.ended;
    await eventually(() => expect(processes.filter(isAlive)).toEqual([]));
  }, 60_000);

  it('ends at its longest time, with the report so far', async () => {
    const { code, report } = await startLoadTest([
      '--clients=20',
      '--ramp=0s',
      '--duration=10m',
      '--max-time=4s',
      '--json=-',
    ]).ended;
    expect(code).toBe(1);
    expect(report?.ended).toBe('out of time');
  }, 60_000);
});

describe('a load test of a cluster that is there', () => {
  let relay: ServiceProcess;
  let webhook: ServiceProcess;
  let proxy: TcpProxy | undefined;
  const tests: LoadTestProcess[] = [];

  beforeAll(async () => {
    const env = { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix() };
    webhook = await startService('webhook', { ...env, WEBHOOK_TOKENS: 'a-token' });
    relay = await startService('relay', { ...env, MAX_CONNECTIONS: '400' });
  });
  afterEach(async () => {
    for (const test of tests.splice(0)) test.kill('SIGKILL');
    await proxy?.stop();
    proxy = undefined;
  });
  afterAll(() => Promise.all([relay.stop('SIGKILL'), webhook.stop('SIGKILL')]));

  function start(args: readonly string[], options: { port?: number; token?: string } = {}): LoadTestProcess {
    const { port = relay.port, token = 'a-token' } = options;
    const test = startLoadTest(
      [
        `--relay=http://127.0.0.1:${port}`,
        `--webhook=http://127.0.0.1:${webhook.port}/webhook`,
        `--metrics=http://127.0.0.1:${relay.adminPort}/metrics`,
        ...args,
        '--json=-',
      ],
      { WEBHOOK_TOKEN: token },
    );
    tests.push(test);
    return test;
  }

  it.each(['ws', 'update_check', 'sse', 'longpoll'])(
    'tells all clients over %s of every update, as often as the relay says',
    async (transport) => {
      const delivered = await relay.metric('relay_deliveries_total');
      const args = [`--transports=${transport}=1`, '--clients=50', '--ramp=500ms', '--rate=4', '--duration=2s'];
      const { code, report } = await start([...args, '--payload=2KiB', '--threshold=failed=0%,lost=0%,behind-5s=0%'])
        .ended;
      expect(report).toMatchObject({
        clients: { opened: 50, failed: {}, lost: {} },
        updates: { accepted: 8 },
        deliveries: { total: 400, skipped: 0, repeated: 0, caughtUp: 0 },
        latency: { count: 400 },
      });
      expect((await relay.metric('relay_deliveries_total')) - delivered).toBe(400);
      expect(code).toBe(0);
    },
    30_000,
  );

  it('knows clients that go and come back, and those that read slowly', async () => {
    const who = ['--clients=200', '--ramp=500ms', '--transports=ws=70,update_check=10,sse=10,longpoll=10'];
    const what = ['--topics=10', '--topics-per-client=3', '--topic-spread=zipf', '--rate=10', '--duration=4s'];
    const trouble = ['--churn=40', '--slow=5%', '--slow-pause=1s', '--threshold=failed=0%,lost=0%,behind-5s=0%'];
    const { code, report } = await start([...who, ...what, ...trouble]).ended;
    expect(report).toMatchObject({ clients: { opened: 200, failed: {}, lost: {}, notBack: {} } });
    expect(report?.clients.handshakes).toBeGreaterThan(280);
    expect(report?.deliveries.caughtUp).toBeGreaterThan(0);
    expect(report?.slowLatency?.max).toBeGreaterThan(report?.latency?.p50 ?? Number.POSITIVE_INFINITY);
    expect(report?.verdicts.filter(({ isKept }) => !isKept)).toEqual([]);
    expect(code).toBe(0);
  }, 30_000);

  it('fails where a relay tells nobody', async () => {
    proxy = await TcpProxy.start(relay.port);
    const args = ['--clients=100', '--ramp=500ms', '--duration=1s', '--threshold=failed=0%,behind-1s=0%'];
    const test = start([...args, '--max-time=12s'], { port: proxy.port });
    await eventually(() => expect(test.progress()).toContain('clients connect'), 10_000);
    await eventually(async () => expect(await relay.metric('relay_connections')).toBe(100), 10_000);
    proxy.set('swallows');
    const { code, report } = await test.ended;
    expect(report).toMatchObject({ clients: { opened: 100 }, updates: { accepted: 1 }, deliveries: { total: 0 } });
    expect(report?.verdicts).toMatchObject([
      { name: 'failed', isKept: true },
      { name: 'behind-1s', value: 1, isKept: false },
    ]);
    expect(code).toBe(1);
  }, 40_000);

  it('fails where a threshold is beyond reach', async () => {
    const { code, report } = await start(['--clients=20', '--ramp=0s', '--duration=1s', '--threshold=p50=0ms']).ended;
    expect(report?.verdicts).toMatchObject([{ name: 'p50', isKept: false }]);
    expect(code).toBe(1);
  }, 30_000);

  it('says why clients find no place, and that the relays are the wall', async () => {
    const { code, report } = await start(['--clients=500', '--ramp=1s', '--rate=0', '--duration=0s']).ended;
    expect(report).toMatchObject({ clients: { opened: 400, failed: { 'refused with 503': 100 } } });
    expect(report?.wall).toContain('MAX_CONNECTIONS');
    expect(report?.verdicts).toMatchObject([{ name: 'failed', value: expect.closeTo(0.2), isKept: false }]);
    expect(code).toBe(1);
  }, 30_000);

  it('fails where the webhook takes nothing', async () => {
    const { code, report } = await start(['--clients=5', '--ramp=0s', '--duration=1s'], { token: 'another' }).ended;
    expect(report?.updates).toMatchObject({ accepted: 0, failed: { 'the webhook answered 401 unauthorized': 1 } });
    expect(code).toBe(1);
  }, 30_000);

  it('counts clients that a relay loses, and that come back', async () => {
    proxy = await TcpProxy.start(relay.port);
    const args = ['--clients=50', '--ramp=0s', '--rate=5', '--duration=4s', '--threshold=lost=0%,behind-5s=0%'];
    const test = start(args, { port: proxy.port });
    await eventually(() => expect(test.progress()).toContain('updates are published'), 10_000);
    proxy.cut();
    const { code, report } = await test.ended;
    expect(report?.clients).toMatchObject({ opened: 50, open: 50, handshakes: 100 });
    expect(Object.values(report?.clients.lost ?? {}).reduce((sum, count) => sum + count, 0)).toBe(50);
    expect(report?.verdicts).toMatchObject([
      { name: 'lost', value: 1, isKept: false },
      { name: 'behind-5s', value: 0, isKept: true },
    ]);
    expect(code).toBe(1);
  }, 30_000);
});

describe('a load test that cannot run', () => {
  it.each<[string, number, string[], RegExp]>([
    ['an option is wrong', 2, ['--clients=many'], /--clients must be a whole number/],
    [
      'its report could not be written',
      2,
      ['--html=/no/such/folder/a.html'],
      /--html must be a file that can be written/,
    ],
    [
      'the limits are too low',
      2,
      ['--clients=30000', '--processes=1', '--relays=1'],
      /do not fit: give --clients \d+ or fewer/,
    ],
    [
      'nobody said how to publish',
      2,
      ['--relay=http://127.0.0.1:1', '--webhook=http://127.0.0.1:1'],
      /WEBHOOK_TOKEN must be set/,
    ],
    [
      'a relay has no address',
      1,
      ['--relay=http://no-such-host.invalid', '--rate=0'],
      /could not run: .*no-such-host\.invalid/,
    ],
  ])('says beforehand that %s', async (_, code, args, sentence) => {
    const ended = await startLoadTest(args).ended;
    expect(ended.progress).toMatch(sentence);
    expect(ended).toMatchObject({ code, output: '' });
  });

  it('shows its help, and its plan, without doing anything', async () => {
    const help = await startLoadTest(['--help']).ended;
    expect(help).toMatchObject({ code: 0, progress: '' });
    expect(help.output).toContain('npm run loadtest');
    const plan = await startLoadTest(['--plan', '--clients=1000']).ended;
    expect(plan).toMatchObject({ code: 0, output: '' });
    expect(plan.progress).toMatch(/^ {2}1,000 clients in 1 process/);
  });
});
