import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { CurrentWithin } from '../../services/loadtest/measure/current-times.ts';
import type { Report } from '../../services/loadtest/report/report.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { type LoadTestProcess, startLoadTest } from '../support/load-test-process.ts';
import { randomPrefix } from '../support/random-prefix.ts';
import { redisProgram } from '../support/redis-program.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { slowdown } from '../support/slowdown.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/** Returns the descendant processes. */
function descendantsOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  const children = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Returns the maximum time of a test that would take two minutes: a busy machine needs more of it to connect. */
const maxTimeS = (onQuietMachineS: number) => onQuietMachineS + Math.min(60, slowdown() - 1);

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

describe('a load test with a cluster of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-report-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const [json, html] = [join(folder, 'report.json'), join(folder, 'report.html')];

  it('delivers every update to 2,000 clients and reports as text, JSON and HTML', async () => {
    const thresholds = '--threshold=failed=0%,lost=0%,publish-failed=0%,conflated=10%,behind-5s=0%';
    const test = startLoadTest(['--preset=smoke', '--duration=4s', thresholds, `--json=${json}`, `--html=${html}`]);
    const { code, output, progress } = await test.ended;
    expect(output).toMatch(
      /^\nHeliograph \d+\.\d+\.\d+: npm run loadtest -- --preset=smoke --duration=4s --threshold=failed/,
    );
    expect(output.endsWith(`  All thresholds met\n  written to ${html} and ${json}\n`)).toBe(true);
    expect(output).toMatch(/^ {2}connected +2,000 of 2,000$/m);
    expect(progress).toMatch(/2,000 clients in \d+ process/);
    const report: Report = JSON.parse(readFileSync(json, 'utf8'));
    expect(report).toMatchObject({
      ended: 'completed',
      clients: { opened: 2000, open: 2000, failed: {}, lost: {}, handshakes: 2000 },
      updates: { due: 8, accepted: 8, failed: {}, retried: {} },
      deliveries: { duplicates: 0, caughtUp: 0 },
    });
    expect(report.deliveries.total + report.deliveries.skipped).toBe(16_000);
    expect(report.latency?.count).toBe(report.deliveries.total);
    expect(report.server.cpuPerDeliveryUs).toBeGreaterThan(0);
    expect(report.notified.p50).toBeLessThanOrEqual(report.notified.p100 ?? 0);
    expect(report.thresholds.filter(({ passed }) => !passed)).toEqual([]);
    expect(code).toBe(0);
    expect(readFileSync(html, 'utf8')).toMatch(/<h1>2,000 clients, 8 updates: 99 % of deliveries within /);
  });

  it.concurrent('reports its results so far after Ctrl-C and leaves no process behind', async () => {
    const test = startLoadTest(['--clients=200', '--ramp=1s', '--duration=10m', '--json=-']);
    await eventually(() => expect(test.progress()).toContain('publishing updates'), 30_000);
    const processes = descendantsOf(test.pid);
    expect(processes.length).toBeGreaterThan(1);
    test.kill('SIGINT');
    const { code, report } = await test.ended;
    expect(code).toBe(130);
    expect(report).toMatchObject({ ended: 'interrupted', clients: { opened: 200 } });
    expect(report?.thresholds.find(({ name }) => name === 'behind-30s')).toMatchObject({ passed: false });
    expect(processes.filter(isAlive)).toEqual([]);
  });

  it.concurrent('measures relays with the options of V8 with which they are shipped', async () => {
    const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const options = scripts.relay.split(' ').filter((word: string) => word.startsWith('--max-'));
    expect(options).not.toEqual([]);
    const test = startLoadTest(['--clients=20', '--ramp=0s', '--duration=10m']);
    await eventually(() => expect(test.progress()).toContain('publishing updates'), 30_000);
    const commands = descendantsOf(test.pid).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'));
    test.kill('SIGKILL');
    await test.ended;
    const relays = commands.filter((words) => words.some((word) => word.endsWith('/relay/main.js')));
    expect(relays).not.toEqual([]);
    for (const words of relays) expect(words).toEqual(expect.arrayContaining(options));
  });

  it.concurrent('leaves no process behind if it is killed', async () => {
    const test = startLoadTest(['--clients=20', '--ramp=0s', '--duration=10m']);
    await eventually(() => expect(test.progress()).toContain('publishing updates'), 30_000);
    const processes = descendantsOf(test.pid);
    test.kill('SIGKILL');
    await test.ended;
    await eventually(() => expect(processes.filter(isAlive)).toEqual([]));
  });
});

describe('a load test of a running cluster', () => {
  const env = {
    REDIS_URL: inject('redisUrl'),
    HELIOGRAPH_PREFIX: randomPrefix(),
    WEBHOOK_TOKENS: 'a-token-of-the-tests',
  };
  const tests: LoadTestProcess[] = [];
  const proxies: TcpProxy[] = [];
  let relay: ServiceProcess;
  let smallRelay: ServiceProcess;
  let webhook: ServiceProcess;

  beforeAll(async () => {
    [webhook, relay, smallRelay] = await Promise.all([
      startService('webhook', env),
      // Without rebalancing, no client of this test moves to the small relay.
      startService('relay', { ...env, REBALANCE: '0' }),
      startService('relay', { ...env, REBALANCE: '0', MAX_CONNECTIONS: '40' }),
    ]);
  });
  afterAll(async () => {
    for (const test of tests) test.kill('SIGKILL');
    await Promise.all([...proxies, relay, smallRelay, webhook].map((part) => part?.stop()));
  });

  function start(
    args: readonly string[],
    options: { port?: number; token?: string; readsMetrics?: boolean } = {},
  ): LoadTestProcess {
    const { port = relay.port, token = 'a-token-of-the-tests', readsMetrics = true } = options;
    const at = [`--relay=http://127.0.0.1:${port}`, `--webhook=http://127.0.0.1:${webhook.port}/webhook`];
    const metrics = readsMetrics ? [`--metrics=http://127.0.0.1:${relay.adminPort}/metrics`] : [];
    const test = startLoadTest([...at, ...metrics, ...args, '--json=-'], { WEBHOOK_TOKEN: token });
    tests.push(test);
    return test;
  }

  async function startProxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(relay.port);
    proxies.push(proxy);
    return proxy;
  }

  // A second apart, so that a relay that is delayed does not conflate two updates.
  const threeUpdates = ['--clients=50', '--ramp=500ms', '--rate=1', '--duration=3s', '--payload=2KiB'];
  const strict = '--threshold=failed=0%,lost=0%,behind-5s=0%';

  it('delivers every update over each streaming transport, and agrees with the relay on the count', async () => {
    const delivered = await relay.metric('relay_deliveries_total');
    const streams = ['ws', 'update_check', 'sse'];
    const all = await Promise.all(
      streams.map((name) => start([...threeUpdates, strict, `--transports=${name}=1`]).ended),
    );
    for (const { code, report } of all) {
      expect(report).toMatchObject({
        clients: { opened: 50, failed: {}, lost: {} },
        updates: { accepted: 3 },
        deliveries: { total: 150, skipped: 0, duplicates: 0, caughtUp: 0 },
        latency: { count: 150 },
      });
      expect(code).toBe(0);
    }
    expect((await relay.metric('relay_deliveries_total')) - delivered).toBe(3 * 150);
  });

  it.concurrent('delivers every update over long-polls, except those skipped between two polls', async () => {
    const { code, report } = await start([...threeUpdates, strict, '--transports=longpoll=1']).ended;
    expect(report).toMatchObject({ clients: { opened: 50, failed: {}, lost: {} }, deliveries: { duplicates: 0 } });
    const { total = 0, skipped = 0 } = report?.deliveries ?? {};
    expect(total + skipped).toBe(150);
    expect(report?.latency?.count).toBe(total);
    expect(code).toBe(0);
  });

  it.concurrent('measures churn and slow readers', async () => {
    const clients = ['--clients=200', '--ramp=500ms', '--transports=ws=70,update_check=10,sse=10,longpoll=10'];
    const updates = ['--topics=10', '--topics-per-client=3', '--topic-spread=zipf', '--rate=10', '--duration=4s'];
    const trouble = ['--churn=40', '--slow=5%', '--slow-pause=1s', '--threshold=failed=0%,lost=0%,behind-5s=0%'];
    const { code, report } = await start([...clients, ...updates, ...trouble]).ended;
    expect(report).toMatchObject({ clients: { opened: 200, failed: {}, lost: {}, reconnectFailed: {} } });
    expect(report?.clients.handshakes).toBeGreaterThan(280);
    expect(report?.deliveries.caughtUp).toBeGreaterThan(0);
    expect(report?.slowLatency?.max).toBeGreaterThan(report?.latency?.p50 ?? Number.POSITIVE_INFINITY);
    expect(report?.thresholds.filter(({ passed }) => !passed)).toEqual([]);
    expect(code).toBe(0);
  });

  it.concurrent('fails if a relay delivers nothing, and ends at its maximum time', async () => {
    const proxy = await startProxy();
    const args = ['--clients=100', '--ramp=500ms', '--duration=5s', '--threshold=failed=0%,behind-1s=0%'];
    const test = start([...args, `--max-time=${maxTimeS(15)}s`], { port: proxy.port });
    await eventually(() => expect(proxy.connections).toBe(100), 30_000);
    await eventually(() => expect(test.progress()).toContain('publishing updates'), 30_000);
    proxy.set('swallows'); // the first updates may have passed
    const { code, report } = await test.ended;
    expect(report).toMatchObject({ ended: 'out of time', clients: { opened: 100 } });
    expect(report?.updates.accepted).toBeGreaterThan(0);
    expect(report?.thresholds).toMatchObject([
      { name: 'failed', passed: true },
      { name: 'behind-1s', value: 1, passed: false },
    ]);
    expect(code).toBe(1);
  });

  it('waits until the relay accepts connections, before it counts any', async () => {
    const port = await freePort();
    const test = start(['--clients=20', '--ramp=0s', '--rate=0', '--duration=0s'], { port });
    await eventually(() => expect(test.progress()).toContain('waiting until relays accept connections'), 30_000);
    proxies.push(await TcpProxy.start(relay.port, port));
    const { code, report } = await test.ended;
    expect(report).toMatchObject({ clients: { opened: 20, failed: {}, lost: {} } });
    expect(code).toBe(0);
  });

  it('names a relay that is gone, and ends the publishing once, also without metrics', async () => {
    const proxy = await startProxy();
    const args = ['--clients=50', '--ramp=0s', '--duration=1s', `--max-time=${maxTimeS(10)}s`];
    const { port } = proxy;
    const test = start(args, { port, readsMetrics: false });
    await eventually(() => expect(test.progress()).toContain('publishing updates'), 30_000);
    await proxy.stop();
    const { code, report } = await test.ended;
    expect(report?.bottleneck).toBe(`relays that accept no connections: 127.0.0.1:${port}`);
    expect(report?.ended).toBe('out of time');
    const publish = report?.phases.find(({ name }) => name === 'publish');
    // The checks of clients that are behind follow, until the maximum time.
    expect((report?.durationS ?? 0) - (publish?.toS ?? 0)).toBeGreaterThan(1);
    expect(code).toBe(1);
  });

  it.concurrent('fails if a threshold is exceeded', async () => {
    const { code, report } = await start(['--clients=20', '--ramp=0s', '--duration=1s', '--threshold=p50=0ms']).ended;
    expect(report?.thresholds).toMatchObject([{ name: 'p50', passed: false }]);
    expect(code).toBe(1);
  });

  it.concurrent('reports why clients were rejected, and the relays as the bottleneck', async () => {
    const args = ['--clients=50', '--ramp=1s', '--rate=0', '--duration=0s'];
    const { code, report } = await start(args, { port: smallRelay.port }).ended;
    expect(report).toMatchObject({ clients: { opened: 40, failed: { 'HTTP 503': 10 } } });
    expect(report?.bottleneck).toContain('MAX_CONNECTIONS');
    expect(report?.thresholds).toMatchObject([{ name: 'failed', value: expect.closeTo(0.2), passed: false }]);
    expect(code).toBe(1);
  });

  it.concurrent('fails if the webhook accepts no update', async () => {
    const { code, report } = await start(['--clients=5', '--ramp=0s', '--duration=1s'], { token: 'another' }).ended;
    expect(report?.updates).toMatchObject({ accepted: 0, failed: { 'the webhook answered 401 unauthorized': 1 } });
    expect(code).toBe(1);
  });

  it.concurrent('counts lost connections and reconnects', async () => {
    const proxy = await startProxy();
    const args = ['--clients=50', '--ramp=0s', '--rate=5', '--duration=4s', '--threshold=lost=0%,behind-5s=0%'];
    const test = start(args, { port: proxy.port });
    await eventually(() => expect(test.progress()).toContain('publishing updates'), 30_000);
    proxy.cut();
    const { code, report } = await test.ended;
    expect(report?.clients).toMatchObject({ opened: 50, open: 50, handshakes: 100 });
    expect(Object.values(report?.clients.lost ?? {}).reduce((sum, count) => sum + count, 0)).toBe(50);
    expect(report?.thresholds).toMatchObject([
      { name: 'lost', value: 1, passed: false },
      { name: 'behind-5s', value: 0, passed: true },
    ]);
    expect(code).toBe(1);
  });
});

describe('a load test on a machine with Valkey only', () => {
  it('runs on it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'heliograph-valkey-'));
    // The load test knows a program by its name.
    symlinkSync(redisProgram(), join(folder, 'valkey-server'));
    try {
      const args = ['--clients=20', '--ramp=0s', '--relays=2', '--duration=1s', '--json=-'];
      const { code, report } = await startLoadTest(args, { PATH: folder }).ended;
      expect(report?.cluster).toMatch(/^valkey-server, a webhook and 2 relays/);
      expect(report).toMatchObject({ clients: { opened: 20, failed: {} }, updates: { accepted: 1 } });
      expect(code).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a load test that cannot run', () => {
  it.concurrent.each<[string, number, string[], RegExp]>([
    ['an invalid option', 2, ['--clients=many'], /--clients must be a whole number/],
    ['a report file that cannot be written', 2, ['--html=/no/such/folder/a.html'], /--html must be a writable file/],
    [
      'limits that are too low',
      2,
      ['--clients=9000000', '--processes=1', '--relays=1'],
      /do not fit: use --clients \d+/,
    ],
    ['missing credentials', 2, ['--relay=http://127.0.0.1:1', '--webhook=http://a:1'], /WEBHOOK_TOKEN must be set/],
    ['an unknown relay host', 1, ['--relay=http://no-such-host.invalid', '--rate=0'], /could not run: .*no-such-host/],
  ])('reports %s before it starts', async (_, code, args, sentence) => {
    const ended = await startLoadTest(args).ended;
    expect(ended.progress).toMatch(sentence);
    expect(ended).toMatchObject({ code, output: '' });
  });

  it.concurrent('shows its help and its plan without running', async () => {
    const help = await startLoadTest(['--help']).ended;
    expect(help).toMatchObject({ code: 0, progress: '' });
    expect(help.output).toContain('npm run loadtest');
    const plan = await startLoadTest(['--plan', '--clients=1000']).ended;
    expect(plan).toMatchObject({ code: 0, output: '' });
    expect(plan.progress).toMatch(/^ {2}1,000 clients in 1 process/);
  });
});

describe('a load test beside the metrics of relays', () => {
  it.each<[string, (link: TcpProxy) => void]>([
    ['signals are lost', (link) => link.set('drops signals')],
    // The relays have the time of Redis from the middle of their probes: a delay is as long there and back.
    ['Redis is far away', (link) => link.delay(600)],
  ])('agrees within 10 % when subscribers were current, although %s and some clients read slowly', async (_, spoil) => {
    const env = { HELIOGRAPH_PREFIX: randomPrefix(), WEBHOOK_TOKENS: 'a-token-of-the-tests' };
    const redis = new URL(inject('redisUrl'));
    await using link = await TcpProxy.start({ host: redis.hostname, port: Number(redis.port) });
    // Only one of the relays is late. The number of topics is odd, so that each has subscribers on both.
    const webhook = await startService('webhook', { ...env, REDIS_URL: redis.href });
    const relays = [
      await startService('relay', { ...env, REDIS_URL: redis.href }),
      await startService('relay', { ...env, REDIS_URL: `redis://127.0.0.1:${link.port}` }),
    ];
    try {
      const args = [
        ...relays.map(({ port }) => `--relay=http://127.0.0.1:${port}`),
        `--webhook=http://127.0.0.1:${webhook.port}/webhook`,
        ...relays.map(({ adminPort }) => `--metrics=http://127.0.0.1:${adminPort}/metrics`),
        ...['--clients=400', '--ramp=1s', '--topics=5', '--rate=1.2', '--duration=12s', '--slow=2%', '--json=-'],
      ];
      const times = async () => {
        const { report } = await startLoadTest(args, { WEBHOOK_TOKEN: 'a-token-of-the-tests' }).ended;
        expect(report?.current.map(({ share }) => share)).toEqual([0.5, 0.95, 0.99, 1]);
        const [half, most, , all] = report?.current ?? [];
        return { compared: [half, most].flatMap((one) => one ?? []), all };
      };
      const difference = ({ perRelayMeanMs, relaysMeanMs = 0 }: CurrentWithin) =>
        Math.abs(relaysMeanMs - perRelayMeanMs);
      const tryOnce = async () => {
        // Updates arrive much later than a busy machine delays either side, and before the next one of their topic.
        spoil(link);
        const { compared, all } = await times();
        let machineMs = 0;
        if (compared.some((one) => difference(one) > 0.1 * one.perRelayMeanMs)) {
          // A busy machine delays each side. The same without trouble shows by how much.
          link.set('passes');
          link.delay(0);
          machineMs = Math.max(...(await times()).compared.map(difference));
        }
        const agrees = compared.every((one) => difference(one) < 0.1 * one.perRelayMeanMs + 2 * machineMs);
        return { compared, all, agrees };
      };
      // It may do so more in one of the two runs.
      let { compared, all, agrees } = await tryOnce();
      for (let tries = 1; !agrees && tries < 3; tries += 1) ({ compared, all, agrees } = await tryOnce());
      expect(agrees, JSON.stringify(compared)).toBe(true);
      for (const one of compared) {
        expect(one.never).toBe(0);
        expect(one.perRelayMeanMs).toBeGreaterThan(250);
      }
      // The kernel holds the small frames for clients that do not read: only they are late, not the relay.
      expect(all?.perRelayMeanMs).toBeGreaterThan(0.9 * (all?.relaysMeanMs ?? Number.POSITIVE_INFINITY));
    } finally {
      await Promise.all([...relays, webhook].map((service) => service.stop('SIGKILL')));
    }
  });
});
