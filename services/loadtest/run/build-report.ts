import type { ClientProcesses } from '../clients/client-processes.ts';
import type { ServerFigures } from '../cluster/server-metrics.ts';
import { addReasons, countReasons, type Figures, type Judgement } from '../measure/figures.ts';
import { Latency } from '../measure/latency.ts';
import type { Recorder } from '../measure/recorder.ts';
import { judge, type ThresholdName } from '../options/thresholds.ts';
import { availableMemoryBytes } from '../plan/machine.ts';
import { planText } from '../plan/plan-text.ts';
import type { Report } from '../report/report.ts';
import { findWall } from './find-wall.ts';
import { CHECKS_S, type LoadTestDeps } from './load-test-deps.ts';
import type { Phases } from './phases.ts';
import type { Publishing } from './publishing.ts';
import { settingsOf } from './settings.ts';

type Check = Judgement & { readonly afterS: number };

/** What a test has gathered when it ends, wherever that is. */
export interface Gathered extends Omit<LoadTestDeps, 'progress' | 'cluster' | 'credentials'> {
  readonly startedAt: Date;
  readonly recorder: Recorder;
  readonly processes: Pick<ClientProcesses, 'figures' | 'diedClients' | 'emptyBytes'>;
  readonly phases: Phases;
  readonly checks: readonly Check[];
  readonly servers: {
    readonly empty?: ServerFigures | undefined;
    readonly full?: ServerFigures | undefined;
    readonly after?: ServerFigures | undefined;
  };
  readonly publishing: Publishing | undefined;
  readonly memoryBytes: { readonly empty: number; readonly full: number } | undefined;
  readonly endedRampFor: 'memory' | undefined;
}

/** Turns what was gathered into the report, and judges it by the thresholds. */
export function buildReport(gathered: Gathered): Report {
  const { options, plan, machine, recorder, processes, phases, publishing, servers } = gathered;
  const all = processes.figures;
  const sum = (pick: (figures: Figures) => number) => all.reduce((total, figures) => total + pick(figures), 0);
  const rampTookS = phases.get('ramp')?.tookS ?? 0;
  const publish = phases.get('publish');
  const failed = addReasons(all.map((figures) => figures.failed));
  const lost = addReasons(all.map((figures) => figures.lost));
  const updates = publishing?.figures ?? { due: 0, accepted: 0, failed: {} };
  const open = sum((figures) => figures.open);
  const deliveries = sum((figures) => figures.deliveries);
  const behind = CHECKS_S.map((afterS) => ({ afterS, ...behindAfter(gathered.checks, afterS) }));
  const told = toldOf(gathered.checks);
  const skipped = sum((figures) => figures.skipped);
  const latency = recorder.latency.summary();
  const { opened, handshakes } = { opened: sum((one) => one.opened), handshakes: sum((one) => one.handshakes) };
  const died = processes.diedClients;
  const behindShare = (at: number) =>
    behind[at]?.clients === undefined ? undefined : behind[at].clients / Math.max(1, opened);
  const measured: Partial<Record<ThresholdName, number | undefined>> = {
    failed: (countReasons(failed) + died) / plan.clients,
    lost: countReasons(lost) / plan.clients,
    'behind-1s': behindShare(0),
    'behind-5s': behindShare(1),
    'behind-30s': behindShare(2),
    'publish-failed': updates.due === 0 ? undefined : countReasons(updates.failed) / updates.due,
    conflated: deliveries === 0 ? undefined : skipped / (deliveries + skipped),
    ...latency,
  };
  const residentBytes = sum((figures) => figures.residentBytes);
  const perClient = (bytes: number | undefined) => (bytes === undefined || open === 0 ? undefined : bytes / open);
  const { memoryBytes } = gathered;
  return {
    startedAt: gathered.startedAt.toISOString(),
    tookS: (Date.now() - gathered.startedAt.getTime()) / 1000,
    label: options.label,
    ended: gathered.signal.aborted ? (gathered.signal.reason === 'time' ? 'out of time' : 'interrupted') : 'completed',
    cluster: gathered.what,
    machine: { cpus: machine.cpus, memoryBytes: machine.memoryBytes, node: process.version },
    settings: settingsOf(options),
    plan: planText(plan)
      .trimEnd()
      .split('\n')
      .map((line) => line.trim()),
    clients: {
      wanted: plan.clients,
      opened,
      open,
      failed,
      lost,
      died,
      handshakes,
      handshakesPerS: rampTookS === 0 ? 0 : opened / rampTookS,
      handshakeLatency: recorder.handshakeLatency.summary(),
    },
    updates: { ...updates, answers: publishing?.answers.summary() },
    deliveries: {
      total: deliveries,
      perS: publish === undefined || publish.tookS === 0 ? 0 : deliveries / publish.tookS,
      peakPerS: Math.max(0, ...recorder.series.map((point) => point.deliveries)),
      skipped,
      repeated: sum((figures) => figures.repeated),
      caughtUp: sum((figures) => figures.caughtUp),
    },
    latency,
    slowLatency: recorder.slowLatency.summary(),
    told: { p50: told.at(0.5), p99: told.at(0.99), p100: told.at(1) },
    behind,
    server: serverOf(servers, perClient),
    own: {
      memoryPerClientBytes: perClient(residentBytes - processes.emptyBytes),
      residentBytes,
      machinePerClientBytes: memoryBytes && perClient(memoryBytes.empty - memoryBytes.full),
      availableBytes: availableMemoryBytes(),
    },
    wall: findWall({
      endedRampFor: gathered.endedRampFor,
      failed,
      lost,
      updatesFailed: updates.failed,
      wanted: plan.clients,
      rampS: options.rampMs / 1000,
      rampTookS,
      rampCpu: phases.get('ramp')?.cpu,
      publishCpu: publish?.cpu,
      relayCpu: busiestRelay(servers, publish?.tookS),
      clientsBusy: recorder.takeUtilization(),
    }),
    verdicts: judge(options.thresholds, measured),
    series: recorder.series,
    latencyCurve: recorder.latency.curve(),
    toldCurve: told.curve,
  };
}

/** Once all were up to date nobody looks any more: later, nobody was behind. */
function behindAfter(
  checks: readonly Check[],
  afterS: number,
): { clients: number | undefined; slow: number | undefined } {
  const last = checks.at(-1);
  if (!last) return { clients: undefined, slow: undefined };
  const isOver = last.afterS < afterS;
  const some = checks.filter((check) => check.afterS === (isOver ? last.afterS : afterS));
  const clients = some.reduce((total, check) => total + check.behind, 0);
  const slow = some.reduce((total, check) => total + check.behindSlow, 0);
  // The test ended before it could look.
  if (isOver && clients + slow > 0) return { clients: undefined, slow: undefined };
  return { clients, slow };
}

function toldOf(checks: readonly Check[]): { at(share: number): number | undefined; curve: Report['toldCurve'] } {
  const last = checks.filter((check) => check.afterS === checks.at(-1)?.afterS);
  const latency = new Latency();
  for (const { told } of last) latency.add(told);
  const all = latency.count + last.reduce((total, check) => total + check.behind, 0);
  return {
    at(share) {
      const within = latency.count === 0 ? 2 : (share * all) / latency.count;
      return within > 1 ? undefined : latency.quantile(within);
    },
    curve: Array.from({ length: 101 }, (_, i) => i / 100).flatMap((share) => {
      const within = latency.count === 0 ? 2 : (share * all) / latency.count;
      return within > 1 ? [] : [[share, latency.quantile(within)] as const];
    }),
  };
}

function serverOf(
  servers: Gathered['servers'],
  perClient: (bytes: number | undefined) => number | undefined,
): Report['server'] {
  const { empty, full, after } = servers;
  const difference = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? undefined : a - b;
  const cpuS = difference(after?.cpuS, full?.cpuS);
  const deliveries = difference(after?.deliveries, full?.deliveries);
  return {
    cpuPerDeliveryUs: cpuS === undefined || !deliveries ? undefined : (cpuS / deliveries) * 1e6,
    memoryPerClientBytes: perClient(difference(full?.residentBytes, empty?.residentBytes)),
    residentBytes: full?.residentBytes,
    conflated: difference(after?.conflated, full?.conflated),
    fellBehind: difference(after?.fellBehind, full?.fellBehind),
  };
}

function busiestRelay({ full, after }: Gathered['servers'], tookS: number | undefined): number | undefined {
  if (!full || !after || !tookS) return undefined;
  const shares = after.cpuPerRelayS.map((cpuS, i) => ((cpuS ?? 0) - (full.cpuPerRelayS[i] ?? 0)) / tookS);
  return Math.min(1, Math.max(0, ...shares));
}
