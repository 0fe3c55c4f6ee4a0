import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
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
    const thresholds = '--threshold=failed=0%,lost=0%,publish-failed=0%,conflated=10%,behind-5s=0%';
    const test = startLoadTest(['--preset=smoke', '--duration=4s', thresholds, `--json=${json}`, `--html=${html}`]);
    const { code, output, progress } = await test.ended;
    expect(output).toMatch(/^ {2}opened +2,000 of 2,000$/m);
    expect(progress).toMatch(/2,000 clients in \d+ process/);
    const report: Report = JSON.parse(readFileSync(json, 'utf8'));
    expect(report).toMatchObject({
      ended: 'completed',
      clients: { opened: 2000, open: 2000, failed: {}, lost: {}, handshakes: 2000 },
      updates: { due: 8, accepted: 8, failed: {}, repeated: {} },
      deliveries: { repeated: 0, caughtUp: 0 },
    });
    expect(report.deliveries.total + report.deliveries.skipped).toBe(16_000);
    expect(report.latency?.count).toBe(report.deliveries.total);
    expect(report.server.cpuPerDeliveryUs).toBeGreaterThan(0);
    expect(report.told.p50).toBeLessThanOrEqual(report.told.p100 ?? 0);
    expect(report.verdicts.filter(({ isKept }) => !isKept)).toEqual([]);
    expect(code).toBe(0);
    expect(readFileSync(html, 'utf8')).toMatch(/<h1>2,000 clients, all told within [\d.]+ m?s<\/h1>/);
  }, 60_000);

  it.concurrent('reports so far after Ctrl-C, and leaves nothing behind', async () => {
    const test = startLoadTest(['--clients=200', '--ramp=1s', '--duration=10m', '--json=-']);
    await eventually(() => expect(test.progress()).toContain('updates are published'), 30_000);
    const processes = descendantsOf(test.pid);
    expect(processes.length).toBeGreaterThan(1);
    test.kill('SIGINT');
    const { code, report } = await test.ended;
    expect(code).toBe(130);
    expect(report).toMatchObject({ ended: 'interrupted', clients: { opened: 200 } });
    expect(report?.verdicts.find(({ name }) => name === 'behind-30s')).toMatchObject({ isKept: false });
    expect(processes.filter(isAlive)).toEqual([]);
  }, 60_000);

  it.concurrent('leaves nothing behind either where it is killed', async () => {
    const test = startLoadTest(['--clients=20', '--ramp=0s', '--duration=10m']);
    await eventually(() => expect(test.progress()).toContain('updates are published'), 30_000);
    const processes = descendantsOf(test.pid);
    test.kill('SIGKILL');
    await test.ended;
    await eventually(() => expect(processes.filter(isAlive)).toEqual([]));
  }, 60_000);
});

describe('a load test of a cluster that is there', { timeout: 60_000 }, () => {
  const env = { REDIS_URL: inject('redisUrl'), HELIOGRAPH_PREFIX: randomPrefix(), WEBHOOK_TOKENS: 'a-token' };
  const tests: LoadTestProcess[] = [];
  const proxies: TcpProxy[] = [];
  let relay: ServiceProcess;
  let smallRelay: ServiceProcess;
  let webhook: ServiceProcess;

  beforeAll(async () => {
    [webhook, relay, smallRelay] = await Promise.all([
      startService('webhook', env),
      // Clients of this test are not to be sent to the small one.
      startService('relay', { ...env, REBALANCE: '0' }),
      startService('relay', { ...env, REBALANCE: '0', MAX_CONNECTIONS: '40' }),
    ]);
  });
  afterAll(async () => {
    for (const test of tests) test.kill('SIGKILL');
    await Promise.all([...proxies, relay, smallRelay, webhook].map((part) => part?.stop()));
  });

  function start(args: readonly string[], options: { port?: number; token?: string } = {}): LoadTestProcess {
    const { port = relay.port, token = 'a-token' } = options;
    const at = [`--relay=http://127.0.0.1:${port}`, `--webhook=http://127.0.0.1:${webhook.port}/webhook`];
    const metrics = `--metrics=http://127.0.0.1:${relay.adminPort}/metrics`;
    const test = startLoadTest([...at, metrics, ...args, '--json=-'], { WEBHOOK_TOKEN: token });
    tests.push(test);
    return test;
  }

  async function startProxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(relay.port);
    proxies.push(proxy);
    return proxy;
  }

  // A second apart, so that a relay that has to wait for its turn does not put two into one.
  const threeUpdates = ['--clients=50', '--ramp=500ms', '--rate=1', '--duration=3s', '--payload=2KiB'];
  const strict = '--threshold=failed=0%,lost=0%,behind-5s=0%';

  it('tells all clients of every update over each kind of stream, as often as the relay says', async () => {
    const delivered = await relay.metric('relay_deliveries_total');
    const streams = ['ws', 'update_check', 'sse'];
    const all = await Promise.all(
      streams.map((name) => start([...threeUpdates, strict, `--transports=${name}=1`]).ended),
    );
    for (const { code, report } of all) {
      expect(report).toMatchObject({
        clients: { opened: 50, failed: {}, lost: {} },
        updates: { accepted: 3 },
        deliveries: { total: 150, skipped: 0, repeated: 0, caughtUp: 0 },
        latency: { count: 150 },
      });
      expect(code).toBe(0);
    }
    expect((await relay.metric('relay_deliveries_total')) - delivered).toBe(3 * 150);
  });

  it.concurrent('tells all clients over long-polls of every update, but for those that came between two of them', async () => {
    const { code, report } = await start([...threeUpdates, strict, '--transports=longpoll=1']).ended;
    expect(report).toMatchObject({ clients: { opened: 50, failed: {}, lost: {} }, deliveries: { repeated: 0 } });
    const { total = 0, skipped = 0 } = report?.deliveries ?? {};
    expect(total + skipped).toBe(150);
    expect(report?.latency?.count).toBe(total);
    expect(code).toBe(0);
  });

  it.concurrent('knows clients that go and come back, and those that read slowly', async () => {
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
  });

  it.concurrent('fails where a relay tells nobody, and ends at its longest time', async () => {
    const proxy = await startProxy();
    const args = ['--clients=100', '--ramp=500ms', '--duration=1s', '--threshold=failed=0%,behind-1s=0%'];
    const test = start([...args, '--max-time=10s'], { port: proxy.port });
    await eventually(() => expect(proxy.connections).toBe(100), 10_000);
    await eventually(() => expect(test.progress()).toContain('updates are published'), 10_000);
    proxy.set('swallows');
    const { code, report } = await test.ended;
    expect(report).toMatchObject({ ended: 'out of time', clients: { opened: 100 }, updates: { accepted: 1 } });
    expect(report?.verdicts).toMatchObject([
      { name: 'failed', isKept: true },
      { name: 'behind-1s', value: 1, isKept: false },
    ]);
    expect(code).toBe(1);
  });

  it.concurrent('fails where a threshold is beyond reach', async () => {
    const { code, report } = await start(['--clients=20', '--ramp=0s', '--duration=1s', '--threshold=p50=0ms']).ended;
    expect(report?.verdicts).toMatchObject([{ name: 'p50', isKept: false }]);
    expect(code).toBe(1);
  });

  it.concurrent('says why clients find no place, and that the relays are the wall', async () => {
    const args = ['--clients=50', '--ramp=1s', '--rate=0', '--duration=0s'];
    const { code, report } = await start(args, { port: smallRelay.port }).ended;
    expect(report).toMatchObject({ clients: { opened: 40, failed: { 'refused with 503': 10 } } });
    expect(report?.wall).toContain('MAX_CONNECTIONS');
    expect(report?.verdicts).toMatchObject([{ name: 'failed', value: expect.closeTo(0.2), isKept: false }]);
    expect(code).toBe(1);
  });

  it.concurrent('fails where the webhook takes nothing', async () => {
    const { code, report } = await start(['--clients=5', '--ramp=0s', '--duration=1s'], { token: 'another' }).ended;
    expect(report?.updates).toMatchObject({ accepted: 0, failed: { 'the webhook answered 401 unauthorized': 1 } });
    expect(code).toBe(1);
  });

  it.concurrent('counts clients that a relay loses, and that come back', async () => {
    const proxy = await startProxy();
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
  });
});

describe('a load test that cannot run', () => {
  it.concurrent.each<[string, number, string[], RegExp]>([
    ['an option is wrong', 2, ['--clients=many'], /--clients must be a whole number/],
    ['its report could not be written', 2, ['--html=/no/such/folder/a.html'], /--html must be a file that can be/],
    [
      'the limits are too low',
      2,
      ['--clients=9000000', '--processes=1', '--relays=1'],
      /do not fit: give --clients \d+/,
    ],
    [
      'nobody said how to publish',
      2,
      ['--relay=http://127.0.0.1:1', '--webhook=http://a:1'],
      /WEBHOOK_TOKEN must be set/,
    ],
    ['a relay has no address', 1, ['--relay=http://no-such-host.invalid', '--rate=0'], /could not run: .*no-such-host/],
  ])('says beforehand that %s', async (_, code, args, sentence) => {
    const ended = await startLoadTest(args).ended;
    expect(ended.progress).toMatch(sentence);
    expect(ended).toMatchObject({ code, output: '' });
  });

  it.concurrent('shows its help, and its plan, without doing anything', async () => {
    const help = await startLoadTest(['--help']).ended;
    expect(help).toMatchObject({ code: 0, progress: '' });
    expect(help.output).toContain('npm run loadtest');
    const plan = await startLoadTest(['--plan', '--clients=1000']).ended;
    expect(plan).toMatchObject({ code: 0, output: '' });
    expect(plan.progress).toMatch(/^ {2}1,000 clients in 1 process/);
  });
});
