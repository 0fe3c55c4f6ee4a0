import { performance } from 'node:perf_hooks';
import { Publisher } from '../../client/publisher.ts';
import type { Schedule } from '../clients/client-plan.ts';
import { ClientProcesses } from '../clients/client-processes.ts';
import { preciseNowMs } from '../clients/population.ts';
import { readServerFigures, type ServerFigures } from '../cluster/server-metrics.ts';
import type { Figures, Judgement } from '../measure/figures.ts';
import { Recorder } from '../measure/recorder.ts';
import { availableMemoryBytes, busyCpuS } from '../plan/machine.ts';
import type { Report } from '../report/report.ts';
import { buildReport } from './build-report.ts';
import { clientPlans } from './client-plans.ts';
import { CHECKS_S, type LoadTestDeps } from './load-test-deps.ts';
import { Phases } from './phases.ts';
import { Publishing, sleep } from './publishing.ts';

const TICK_MS = 1000;
/** What came with the last handshakes is over by then, so that memory and CPU are those of idle clients. */
const SETTLE_MS = 2000;
/** Processes hear of the schedule before it begins. */
const LEAD_MS = 500;

/** Runs a load test against a cluster, and reports what it has found, also of a part of it. */
export async function runLoadTest(deps: LoadTestDeps): Promise<Report> {
  const { options, plan, cluster, progress, signal } = deps;
  const startedAt = new Date();
  const recorder = new Recorder();
  const processes = new ClientProcesses({ report: (figures) => recorder.add(figures) });
  const phases = new Phases({ busyCpuS, cpus: deps.machine.cpus });
  const checks: (Judgement & { afterS: number })[] = [];
  const servers: {
    empty?: ServerFigures | undefined;
    full?: ServerFigures | undefined;
    after?: ServerFigures | undefined;
  } = {};
  let publishing: Publishing | undefined;
  let memoryBytes: { empty: number; full: number } | undefined;
  let endedRampFor: 'memory' | undefined;
  let figures: readonly Figures[] = [];
  const startedMs = performance.now();
  const ticker = setInterval(() => {
    const point = recorder.tick(processes.figures, {
      atS: Math.round((performance.now() - startedMs) / 1000),
      cpu: phases.cpuNow(),
    });
    progress.tick(point);
  }, TICK_MS);

  async function ramp(): Promise<void> {
    progress.phase('starting the processes of the clients', 0);
    await processes.start(clientPlans({ options, plan, cluster, token: deps.credentials.relayToken }), signal);
    servers.empty = await readServerFigures(cluster.metricsUrls);
    const empty = availableMemoryBytes();
    progress.phase('clients connect', plan.clients);
    phases.begin('ramp');
    processes.begin();
    while (!processes.isRamped && !signal.aborted) {
      await sleep(100, signal);
      if (endedRampFor || availableMemoryBytes() > options.keepFreeBytes) continue;
      endedRampFor = 'memory';
      processes.endRamp();
    }
    phases.end('ramp');
    await sleep(SETTLE_MS, signal);
    memoryBytes = { empty, full: availableMemoryBytes() };
    servers.full = await readServerFigures(cluster.metricsUrls);
  }

  async function publish(): Promise<void> {
    const count =
      options.updatesPerSecond === 0
        ? 0
        : Math.max(1, Math.floor((options.updatesPerSecond * options.durationMs) / 1000));
    if (count === 0) return;
    const schedule: Schedule = { startMs: preciseNowMs() + LEAD_MS, intervalMs: 1000 / options.updatesPerSecond };
    publishing = new Publishing({
      publisher: new Publisher({ url: cluster.webhookUrl, ...deps.credentials.publish }),
      choice: { ...options, spread: options.topicSpread, prefix: options.topicPrefix },
      payloadBytes: options.payloadBytes,
      schedule,
      count,
    });
    progress.phase('updates are published', count);
    processes.publishing(schedule);
    recorder.takeUtilization();
    phases.begin('publish');
    await publishing.run(signal);
    await check(schedule.startMs + (publishing.figures.due - 1) * schedule.intervalMs, publishing);
  }

  async function check(lastDueMs: number, { last }: Publishing): Promise<void> {
    for (const afterS of CHECKS_S) {
      progress.phase(`waiting until ${afterS} s after the last update`, 0);
      await sleep(Math.max(0, lastDueMs + afterS * 1000 - preciseNowMs()), signal);
      if (signal.aborted) return;
      const judgements = await processes.judge(last);
      const sum = (pick: (judgement: Judgement) => number) => judgements.reduce((total, one) => total + pick(one), 0);
      const behind = sum((one) => one.behind);
      const behindSlow = sum((one) => one.behindSlow);
      checks.push(...judgements.map((one) => ({ ...one, afterS })));
      if (afterS === 1) await endOfPublishing();
      if (behind + behindSlow === 0) return; // nobody can fall behind any more
    }
  }

  async function endOfPublishing(): Promise<void> {
    phases.end('publish');
    servers.after = await readServerFigures(cluster.metricsUrls);
  }

  try {
    await ramp();
    if (!signal.aborted) await publish();
  } finally {
    clearInterval(ticker);
    recorder.tick(processes.figures, { atS: Math.round((performance.now() - startedMs) / 1000), cpu: phases.cpuNow() });
    progress.end();
    figures = processes.figures;
    await processes.stop();
  }
  return buildReport({
    ...deps,
    startedAt,
    recorder,
    processes: { figures, diedClients: processes.diedClients, emptyBytes: processes.emptyBytes },
    phases,
    checks,
    servers,
    publishing,
    memoryBytes,
    endedRampFor,
  });
}
