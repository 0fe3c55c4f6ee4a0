import { performance } from 'node:perf_hooks';
import { Publisher } from '../../client/publisher.ts';
import type { Schedule } from '../clients/client-plan.ts';
import { ClientProcesses } from '../clients/client-processes.ts';
import { readServerFigures } from '../cluster/server-metrics.ts';
import type { Figures } from '../measure/figures.ts';
import { Recorder } from '../measure/recorder.ts';
import { availableMemoryBytes, busyCpuS, kernelMemoryBytes, tcpShortages } from '../plan/machine.ts';
import type { Report } from '../report/report.ts';
import { preciseNowMs } from '../timing/precise-now.ts';
import { sleep } from '../timing/until-signal.ts';
import { buildReport, type Gathered } from './build-report.ts';
import { clientPlans } from './client-plans.ts';
import { type Check, isSettled } from './last-update.ts';
import { CHECKS_S, type LoadTestDeps } from './load-test-deps.ts';
import { Phases } from './phases.ts';
import { Publishing } from './scheduled-publisher.ts';

const TICK_MS = 1000;
/** What came with the last handshakes is over by then, so that memory and CPU are those of idle clients. */
const SETTLE_MS = 2000;
/** Processes hear of the schedule before it begins. */
const LEAD_MS = 500;
/** A relay that tells tens of thousands answers after that; who has interrupted the test does not want to wait. */
const PATIENCE_MS = 30_000;
const HASTE_MS = 3000;

/** Runs a load test against a cluster, and reports what it has found, also of a part of it. */
export async function runLoadTest(deps: LoadTestDeps): Promise<Report> {
  const { options, plan, cluster, progress, signal } = deps;
  const startedAt = new Date();
  const recorder = new Recorder();
  const processes = new ClientProcesses({ report: (figures) => recorder.add(figures) });
  const phases = new Phases({ busyCpuS, cpus: deps.machine.cpus });
  const checks: Check[] = [];
  const servers: { -readonly [Name in keyof Gathered['servers']]: Gathered['servers'][Name] } = {};
  const clientCpuS: { full?: number; after?: number } = {};
  let publishing: Publishing | undefined;
  let kernel: Gathered['kernel'];
  const tcpShortagesBefore = tcpShortages();
  let endedRampFor: 'memory' | undefined;
  const startedMs = performance.now();
  const tick = () => {
    const atS = Math.round((performance.now() - startedMs) / 1000);
    return recorder.tick(processes.figures, { atS, cpu: phases.cpuNow() });
  };
  const ticker = setInterval(() => progress.tick(tick()), TICK_MS);

  async function ramp(): Promise<void> {
    progress.phase('starting the processes of the clients', 0);
    await processes.start(clientPlans({ options, plan, cluster, token: deps.credentials.relayToken }), signal);
    servers.empty = await readServerFigures(cluster.metricsUrls, PATIENCE_MS);
    const empty = kernelMemoryBytes();
    progress.phase('clients connect', plan.clients);
    phases.begin('ramp');
    processes.begin();
    while (!processes.isRamped && !signal.aborted) {
      await sleep(100, signal);
      if (endedRampFor || availableMemoryBytes() > plan.keepFreeBytes) continue;
      endedRampFor = 'memory';
      processes.endRamp();
    }
    phases.end('ramp');
    await sleep(SETTLE_MS, signal);
    kernel = { empty, full: kernelMemoryBytes() };
    servers.full = await readServerFigures(cluster.metricsUrls, PATIENCE_MS);
    clientCpuS.full = cpuOf(processes.figures);
    recorder.takeBusiest();
  }

  async function idle(): Promise<void> {
    progress.phase('clients are idle', options.durationMs / 1000);
    phases.begin('publish');
    await sleep(options.durationMs, signal);
    await endOfPublishing();
  }

  async function publish(): Promise<void> {
    const intervalMs = 1000 / options.updatesPerSecond;
    const schedule: Schedule = { startMs: preciseNowMs() + LEAD_MS, intervalMs };
    publishing = new Publishing({
      publisher: (retrying) => new Publisher({ url: cluster.webhookUrl, ...deps.credentials.publish, retrying }),
      choice: { ...options, spread: options.topicSpread, prefix: options.topicPrefix },
      payloadBytes: options.payloadBytes,
      schedule,
      count: Math.max(1, Math.floor(options.durationMs / intervalMs)),
    });
    processes.publishing(schedule);
    await sleep(LEAD_MS, signal);
    progress.phase('updates are published', options.durationMs / 1000);
    phases.begin('publish');
    await publishing.run(signal);
    if (!signal.aborted) await check(schedule.startMs + (publishing.figures.due - 1) * schedule.intervalMs, publishing);
  }

  async function check(lastDueMs: number, { last }: Publishing): Promise<void> {
    for (const afterS of CHECKS_S) {
      progress.phase(`waiting until ${afterS} s after the last update`, 0);
      const atMs = lastDueMs + afterS * 1000;
      await sleep(Math.max(0, atMs - preciseNowMs()), signal);
      // Processes that are busy answer late, but about that time.
      const judgements = signal.aborted ? undefined : await processes.judge(last, atMs, signal);
      if (!judgements) return;
      checks.push(...judgements.map((one) => ({ ...one, afterS })));
      if (!servers.after) await endOfPublishing();
      if (isSettled(checks)) return;
    }
  }

  async function endOfPublishing(): Promise<void> {
    phases.end('publish');
    clientCpuS.after = cpuOf(processes.figures);
    servers.after = await readServerFigures(cluster.metricsUrls, signal.aborted ? HASTE_MS : PATIENCE_MS);
  }

  try {
    await ramp();
    if (!signal.aborted) await (options.updatesPerSecond === 0 ? idle() : publish());
    if (signal.aborted && servers.full && !servers.after) await endOfPublishing();
    tick();
    const { figures, diedClients: died, emptyBytes } = processes;
    const seen = { recorder, figures, died, emptyBytes, phases, checks, servers, clientCpuS, publishing, kernel };
    const tcpRanShort = tcpShortages() > tcpShortagesBefore;
    return buildReport({ ...deps, startedAt, ...seen, tcpRanShort, endedRampFor });
  } finally {
    clearInterval(ticker);
    progress.end();
    await processes.stop();
  }
}

function cpuOf(figures: readonly Figures[]): number {
  return figures.reduce((sum, { cpuS }) => sum + cpuS, 0);
}
