import { performance } from 'node:perf_hooks';
import { Publisher } from '../../client/publisher.ts';
import { makeClientPlans } from '../clients/client-plan.ts';
import { ClientProcesses } from '../clients/client-processes.ts';
import type { UpdateSchedule } from '../clients/update-schedule.ts';
import { readServerFigures, type ServerFigures } from '../cluster/server-metrics.ts';
import type { Figures } from '../measure/figures.ts';
import { Recorder } from '../measure/recorder.ts';
import type { LoadtestOptions, TargetCluster } from '../options/options.ts';
import { availableMemoryBytes, busyCpuS, kernelMemoryBytes, type Machine, tcpShortages } from '../plan/machine.ts';
import type { Plan } from '../plan/plan.ts';
import type { Point, Report } from '../report/report.ts';
import { preciseNowMs } from '../timing/precise-now.ts';
import { sleep, untilSignal } from '../timing/until-signal.ts';
import { canConnect } from '../wire/can-connect.ts';
import { buildReport } from './build-report.ts';
import type { KernelSamples } from './costs.ts';
import { CHECKS_S, type Check, isFinal } from './last-update.ts';
import { Phases } from './phases.ts';
import type { Progress } from './progress.ts';
import { ScheduledPublisher } from './scheduled-publisher.ts';

/** The credentials to publish and to subscribe. */
export interface Credentials {
  readonly publish: { readonly secret?: string; readonly token?: string };
  /** A JWT for private topics. */
  readonly relayToken: string | undefined;
}

export interface LoadTestDeps {
  readonly options: LoadtestOptions;
  readonly plan: Plan;
  readonly machine: Machine;
  readonly cluster: TargetCluster;
  readonly clusterDescription: string;
  /** The version of the load test. */
  readonly version: string;
  /** The command line that started it, without credentials. */
  readonly commandLine: string;
  readonly credentials: Credentials;
  readonly progress: Progress;
  /** Ends the test early with a report of the results so far; its reason is `time` or `signal`. */
  readonly signal: AbortSignal;
}

const TICK_MS = 1000;
/** Lets the work of the last handshakes finish, so that memory and CPU are those of idle clients. */
const SETTLE_MS = 2000;
/** Lead time for the processes to receive the schedule before it starts. */
const LEAD_MS = 500;
/** A policy agent may need seconds to learn the address of a new pod. Clients that fail later are counted. */
const REACHABLE_WITHIN_MS = 30_000;
const PROBE_TIMEOUT_MS = 2000;
const PROBE_EVERY_MS = 200;
/** A relay looks at the buffers of all its clients within 5 s. */
const COUNTED_WITHIN_MS = 15_000;
/** A relay that notifies tens of thousands of clients responds late; after an interruption the report is due soon. */
const METRICS_TIMEOUT_MS = 30_000;
const INTERRUPTED_TIMEOUT_MS = 3000;

/** Runs a load test against a cluster and returns its report, also if it ends early. */
export async function runLoadTest(deps: LoadTestDeps): Promise<Report> {
  const run = new LoadTestRun(deps);
  try {
    return await run.run();
  } finally {
    await run.stop();
  }
}

class LoadTestRun {
  readonly #deps: LoadTestDeps;
  readonly #startedAt = new Date();
  readonly #startedMs = performance.now();
  readonly #tcpShortagesBefore = tcpShortages();
  readonly #recorder = new Recorder();
  readonly #processes = new ClientProcesses({ report: (figures) => this.#recorder.add(figures) });
  readonly #phases: Phases;
  readonly #checks: Check[] = [];
  readonly #servers: Partial<Record<'before' | 'connected' | 'after' | 'counted', ServerFigures>> = {};
  readonly #clientCpuS: { connected?: number; after?: number } = {};
  readonly #ticker: NodeJS.Timeout;
  #publisher: ScheduledPublisher | undefined;
  #kernel: KernelSamples | undefined;
  #rampEndedBy: 'memory' | undefined;
  #hasEndedPublishing = false;

  constructor(deps: LoadTestDeps) {
    this.#deps = deps;
    this.#phases = new Phases({ busyCpuS, cpus: deps.machine.cpus });
    this.#ticker = setInterval(() => deps.progress.tick(this.#tick()), TICK_MS);
  }

  async run(): Promise<Report> {
    const { options, signal } = this.#deps;
    await this.#ramp();
    if (!signal.aborted) await (options.updatesPerSecond === 0 ? this.#idle() : this.#publish());
    if (signal.aborted) await this.#endPublishing();
    this.#tick();
    return buildReport({
      ...this.#deps,
      startedAt: this.#startedAt,
      recorder: this.#recorder,
      figures: this.#processes.figures,
      exitedClients: this.#processes.exitedClients,
      initialBytes: this.#processes.initialBytes,
      phases: this.#phases,
      checks: this.#checks,
      servers: this.#servers,
      clientCpuS: this.#clientCpuS,
      publisher: this.#publisher,
      kernel: this.#kernel,
      tcpRanShort: tcpShortages() > this.#tcpShortagesBefore,
      rampEndedBy: this.#rampEndedBy,
      unreachable: wasRefused(this.#processes.figures) ? await this.#findUnreachable() : [],
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    this.#deps.progress.end();
    await this.#processes.stop();
  }

  #tick(): Point {
    const atS = Math.round((performance.now() - this.#startedMs) / 1000);
    return this.#recorder.tick(this.#processes.figures, { atS, cpu: this.#phases.cpuNow() });
  }

  async #ramp(): Promise<void> {
    const { options, plan, cluster, credentials, progress, signal } = this.#deps;
    progress.phase('starting client processes');
    await this.#processes.start(makeClientPlans({ options, plan, cluster, token: credentials.relayToken }), signal);
    await this.#waitUntilReachable();
    await this.#readServers('before');
    const kernelBefore = kernelMemoryBytes();
    progress.phase('connecting clients', { clients: plan.clients });
    this.#phases.start('ramp');
    this.#processes.startRamp();
    while (!this.#processes.isRampDone && !signal.aborted) {
      await sleep(100, signal);
      if (this.#rampEndedBy || availableMemoryBytes() > plan.keepFreeBytes) continue;
      this.#rampEndedBy = 'memory';
      this.#processes.endRamp();
    }
    this.#phases.end('ramp');
    await sleep(SETTLE_MS, signal);
    this.#kernel = { before: kernelBefore, connected: kernelMemoryBytes() };
    await this.#readServers('connected');
    this.#clientCpuS.connected = cpuOf(this.#processes.figures);
    this.#recorder.takeBusiest();
  }

  /** Waits until each relay accepts a connection, for some time. */
  async #waitUntilReachable(): Promise<void> {
    const { progress, signal } = this.#deps;
    const untilMs = performance.now() + REACHABLE_WITHIN_MS;
    for (let waits = false; !signal.aborted && performance.now() < untilMs; waits = true) {
      const unreachable = await untilSignal(this.#findUnreachable(), signal);
      if (!unreachable || unreachable.length === 0) return;
      if (!waits) progress.phase('waiting until relays accept connections');
      await sleep(PROBE_EVERY_MS, signal);
    }
  }

  async #findUnreachable(): Promise<readonly string[]> {
    const { relays } = this.#deps.cluster;
    const accepted = await Promise.all(relays.map((relay) => canConnect(relay, PROBE_TIMEOUT_MS)));
    return relays
      .filter((_, i) => !accepted[i])
      .map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`);
  }

  async #idle(): Promise<void> {
    const { options, progress, signal } = this.#deps;
    progress.phase('clients are idle', { seconds: options.durationMs / 1000 });
    this.#phases.start('publish');
    await sleep(options.durationMs, signal);
    await this.#endPublishing();
  }

  async #publish(): Promise<void> {
    const { options, cluster, credentials, progress, signal } = this.#deps;
    const intervalMs = 1000 / options.updatesPerSecond;
    const schedule: UpdateSchedule = { startMs: preciseNowMs() + LEAD_MS, intervalMs };
    const publisher = new ScheduledPublisher({
      publisher: (retrying) => new Publisher({ url: cluster.webhookUrl, ...credentials.publish, retrying }),
      assignment: { ...options, spread: options.topicSpread, prefix: options.topicPrefix },
      payloadBytes: options.payloadBytes,
      schedule,
      count: Math.max(1, Math.floor(options.durationMs / intervalMs)),
    });
    this.#publisher = publisher;
    this.#processes.publishing(schedule);
    await sleep(LEAD_MS, signal);
    progress.phase('publishing updates', { seconds: options.durationMs / 1000 });
    this.#phases.start('publish');
    await publisher.run(signal);
    if (!signal.aborted) await this.#check(schedule.startMs + (publisher.figures.due - 1) * intervalMs, publisher);
  }

  async #check(lastDueMs: number, { last }: ScheduledPublisher): Promise<void> {
    const { progress, signal } = this.#deps;
    for (const afterS of CHECKS_S) {
      progress.phase(`waiting until ${afterS} s after the last update`);
      const atMs = lastDueMs + afterS * 1000;
      await sleep(Math.max(0, atMs - preciseNowMs()), signal);
      // A busy process responds late, but for the requested time.
      const results = signal.aborted ? undefined : await this.#processes.check(last, atMs, signal);
      if (!results) return;
      this.#checks.push(...results.map((result) => ({ ...result, afterS })));
      await this.#endPublishing();
      if (isFinal(this.#checks)) break;
    }
    await this.#waitUntilCounted();
  }

  /** Waits until the relays have counted when the subscribers of all updates were current, for some time. */
  async #waitUntilCounted(): Promise<void> {
    const { cluster, signal } = this.#deps;
    const untilMs = performance.now() + COUNTED_WITHIN_MS;
    while (!signal.aborted && cluster.metricsUrls.length > 0) {
      await this.#readServers('counted');
      const { counted } = this.#servers;
      const isCounted = counted?.current.every(({ count }) => count === counted.fanouts);
      if (isCounted !== false || performance.now() > untilMs) return;
      await sleep(PROBE_EVERY_MS, signal);
    }
  }

  /** Records the end of the publishing, once: later calls do nothing. */
  async #endPublishing(): Promise<void> {
    if (this.#hasEndedPublishing) return;
    this.#hasEndedPublishing = true;
    this.#phases.end('publish');
    this.#clientCpuS.after = cpuOf(this.#processes.figures);
    await this.#readServers('after', this.#deps.signal.aborted ? INTERRUPTED_TIMEOUT_MS : METRICS_TIMEOUT_MS);
  }

  async #readServers(
    moment: 'before' | 'connected' | 'after' | 'counted',
    timeoutMs = METRICS_TIMEOUT_MS,
  ): Promise<void> {
    const figures = await readServerFigures(this.#deps.cluster.metricsUrls, timeoutMs);
    if (figures) this.#servers[moment] = figures;
  }
}

function wasRefused(figures: readonly Figures[]): boolean {
  return figures.some((one) => [one.failed, one.lost, one.reconnectFailed].some((all) => 'ECONNREFUSED' in all));
}

function cpuOf(figures: readonly Figures[]): number {
  return figures.reduce((sum, { cpuS }) => sum + cpuS, 0);
}
