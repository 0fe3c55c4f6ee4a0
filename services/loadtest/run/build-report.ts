import { addReasons, countReasons, type Figures } from '../measure/figures.ts';
import type { Recorder } from '../measure/recorder.ts';
import { judge, type ThresholdName } from '../options/thresholds.ts';
import { availableMemoryBytes } from '../plan/machine.ts';
import { planText } from '../plan/plan-text.ts';
import type { Report } from '../report/report.ts';
import {
  busiestRelay,
  type CpuSights,
  clientCpuPerDeliveryUs,
  type KernelSights,
  kernelPerClientBytes,
  ownCpu,
  perClient,
  type ServerSights,
  serverCost,
} from './costs.ts';
import { findWall } from './find-bottleneck.ts';
import { behindAfter, type Check, LastTold } from './last-update.ts';
import { CHECKS_S, type LoadTestDeps } from './load-test-deps.ts';
import type { Phase, Phases } from './phases.ts';
import type { Publishing } from './scheduled-publisher.ts';
import { settingsOf } from './settings.ts';

/** What a test has gathered when it ends, wherever that is. */
export interface Gathered extends Omit<LoadTestDeps, 'progress' | 'cluster' | 'credentials'> {
  readonly startedAt: Date;
  readonly recorder: Recorder;
  /** The newest figures of each process of clients. */
  readonly figures: readonly Figures[];
  /** Clients whose process ended. */
  readonly died: number;
  /** Memory of all processes of clients before their clients came. */
  readonly emptyBytes: number;
  readonly phases: Phases;
  readonly checks: readonly Check[];
  readonly servers: ServerSights;
  readonly clientCpuS: CpuSights;
  readonly publishing: Publishing | undefined;
  readonly kernel: KernelSights | undefined;
  readonly tcpRanShort: boolean;
  readonly endedRampFor: 'memory' | undefined;
}

/** Turns what was gathered into the report, and judges it by the thresholds. */
export function buildReport(gathered: Gathered): Report {
  const { options, plan, machine, recorder, figures, died, checks, phases, publishing, servers, clientCpuS } = gathered;
  const sum = (pick: (figures: Figures) => number) => figures.reduce((total, one) => total + pick(one), 0);
  const rampTookS = phases.get('ramp')?.tookS ?? 0;
  const publish = phases.get('publish');
  const failed = addReasons(figures.map((one) => one.failed));
  const lost = addReasons(figures.map((one) => one.lost));
  const notBack = addReasons(figures.map((one) => one.notBack));
  const publishes = options.updatesPerSecond > 0;
  const updates = publishing?.figures ?? { due: 0, accepted: 0, failed: {}, repeated: {} };
  const [open, opened, handshakes] = [sum((one) => one.open), sum((one) => one.opened), sum((one) => one.handshakes)];
  const [deliveries, skipped] = [sum((one) => one.deliveries), sum((one) => one.skipped)];
  const behind = CHECKS_S.map((afterS) => ({ afterS, ...behindAfter(checks, afterS) }));
  const last = new LastTold(checks);
  const told = { p50: last.within(0.5), p99: last.within(0.99), p100: last.within(1) };
  const latency = recorder.latency.summary();
  const residentBytes = sum((one) => one.residentBytes);
  return {
    startedAt: gathered.startedAt.toISOString(),
    tookS: (Date.now() - gathered.startedAt.getTime()) / 1000,
    label: options.label,
    ended: howEnded(gathered.signal),
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
      notBack,
      died,
      handshakes,
      handshakesPerS: rampTookS === 0 ? 0 : opened / rampTookS,
      handshakeLatency: recorder.handshakeLatency.summary(),
    },
    updates: { ...updates, answers: publishing?.answers.summary() },
    deliveries: {
      total: deliveries,
      perS: deliveries / Math.max(1, publishing?.tookS(told.p100) ?? 0),
      peakPerS: Math.max(0, ...recorder.series.map((point) => point.deliveries)),
      skipped,
      repeated: sum((one) => one.repeated),
      caughtUp: sum((one) => one.caughtUp),
    },
    latency,
    slowLatency: recorder.slowLatency.summary(),
    told,
    behind,
    server: serverCost(servers, open),
    own: {
      cpuPerDeliveryUs: clientCpuPerDeliveryUs(clientCpuS, deliveries),
      memoryPerClientBytes: perClient(residentBytes - gathered.emptyBytes, open),
      residentBytes,
      kernelPerClientBytes: kernelPerClientBytes(gathered.kernel, open),
      availableBytes: availableMemoryBytes(),
    },
    wall: findWall({
      endedRampFor: gathered.endedRampFor,
      shrunkBy: plan.clients < plan.asked ? plan.limits.find(({ beyond }) => beyond === undefined)?.name : undefined,
      failed,
      lost,
      notBack,
      updatesFailed: updates.failed,
      tcpRanShort: gathered.tcpRanShort,
      wanted: plan.clients,
      rampS: options.rampMs / 1000,
      rampTookS,
      rampCpu: phases.get('ramp')?.cpu,
      publishCpu: publish?.cpu,
      meanwhile: publishes ? 'while updates were published' : 'while they were idle',
      ownCpu: ownCpu({
        servers: plan.relays > 0 ? servers : undefined,
        clientCpuS,
        tookS: publish?.tookS,
        cpus: machine.cpus,
      }),
      relayCpu: busiestRelay(servers, publish?.tookS),
      busiest: recorder.takeBusiest(),
    }),
    verdicts: judge(options.thresholds, {
      ...sharesOf({ wanted: plan.clients, opened, lost, updates, deliveries, skipped, behind }),
      ...latency,
    }),
    phases: [...spanOf('connect', phases.get('ramp')), ...spanOf(publishes ? 'publish' : 'idle', publish)],
    series: recorder.series,
    latencyCurve: recorder.latency.curve(),
    slowLatencyCurve: recorder.slowLatency.curve(),
    toldCurve: last.curve,
  };
}

function spanOf(name: string, phase: Phase | undefined): Report['phases'] {
  return phase ? [{ name, fromS: phase.fromS, toS: phase.fromS + phase.tookS }] : [];
}

function howEnded(signal: AbortSignal): Report['ended'] {
  if (!signal.aborted) return 'completed';
  return signal.reason === 'time' ? 'out of time' : 'interrupted';
}

/** What thresholds look at, beside latencies. */
function sharesOf(seen: {
  wanted: number;
  opened: number;
  lost: Report['clients']['lost'];
  updates: Pick<Report['updates'], 'due' | 'failed'>;
  deliveries: number;
  skipped: number;
  behind: Report['behind'];
}): Partial<Record<ThresholdName, number | undefined>> {
  const { wanted, opened, lost, updates, deliveries, skipped, behind } = seen;
  const behindShares = behind.map(({ afterS, clients }) => [
    `behind-${afterS}s`,
    clients === undefined ? undefined : clients / Math.max(1, opened),
  ]);
  return {
    // Also those whose process ended, or that had no turn before the ramp was ended.
    failed: 1 - opened / wanted,
    lost: countReasons(lost) / wanted,
    'publish-failed': updates.due === 0 ? undefined : countReasons(updates.failed) / updates.due,
    conflated: deliveries === 0 ? undefined : skipped / (deliveries + skipped),
    ...Object.fromEntries(behindShares),
  };
}
