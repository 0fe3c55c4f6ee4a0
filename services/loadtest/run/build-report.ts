import { formatTransportMix } from '../clients/transport-mix.ts';
import { currentWithin } from '../measure/current-times.ts';
import { addReasons, countReasons, type Figures } from '../measure/figures.ts';
import type { Recorder } from '../measure/recorder.ts';
import type { LoadtestOptions } from '../options/options.ts';
import { evaluateThresholds, type ThresholdName } from '../options/thresholds.ts';
import { availableMemoryBytes, type Machine } from '../plan/machine.ts';
import type { Plan } from '../plan/plan.ts';
import { planText } from '../plan/plan-text.ts';
import type { Report } from '../report/report.ts';
import {
  busiestRelayCpu,
  type CpuSamples,
  clientCpuPerDeliveryUs,
  type KernelSamples,
  kernelPerClientBytes,
  perClient,
  relaysMeanMs,
  type ServerSamples,
  serverCost,
  testCpu,
} from './costs.ts';
import { findBottleneck } from './find-bottleneck.ts';
import { behindAfter, CHECKS_S, type Check, LastUpdateLatency } from './last-update.ts';
import type { Phase, Phases } from './phases.ts';
import type { ScheduledPublisher } from './scheduled-publisher.ts';

/** The test as planned, and its measurements up to its end, however it ended. */
export interface TestRun {
  readonly options: LoadtestOptions;
  readonly plan: Plan;
  readonly machine: Machine;
  readonly clusterDescription: string;
  readonly version: string;
  readonly commandLine: string;
  /** Aborted if the test ended early; its reason is `time` or `signal`. */
  readonly signal: AbortSignal;
  readonly startedAt: Date;
  readonly recorder: Recorder;
  /** The latest figures of each client process. */
  readonly figures: readonly Figures[];
  /** Clients whose process exited unexpectedly. */
  readonly exitedClients: number;
  /** Memory of all client processes before their clients connected. */
  readonly initialBytes: number;
  readonly phases: Phases;
  readonly checks: readonly Check[];
  readonly servers: ServerSamples;
  readonly clientCpuS: CpuSamples;
  /** undefined if nothing was published. */
  readonly publisher: ScheduledPublisher | undefined;
  readonly kernel: KernelSamples | undefined;
  readonly tcpRanShort: boolean;
  readonly rampEndedBy: 'memory' | undefined;
  /** Relays that accept no connection at the end. */
  readonly unreachable: readonly string[];
}

/** Builds the report and evaluates the thresholds. */
export function buildReport(run: TestRun): Report {
  const { options, plan, machine, recorder } = run;
  const clients = clientsOf(run);
  const updates = updatesOf(run);
  const lastUpdate = new LastUpdateLatency(run.checks);
  const notified = { p50: lastUpdate.within(0.5), p99: lastUpdate.within(0.99), p100: lastUpdate.within(1) };
  const deliveries = deliveriesOf(run, notified.p100);
  const behind = CHECKS_S.map((afterS) => ({ afterS, ...behindAfter(run.checks, afterS) }));
  const latency = recorder.latency.summary();
  return {
    startedAt: run.startedAt.toISOString(),
    durationS: (Date.now() - run.startedAt.getTime()) / 1000,
    version: run.version,
    commandLine: run.commandLine,
    label: options.label,
    ended: endOf(run.signal),
    cluster: run.clusterDescription,
    machine: { cpus: machine.cpus, memoryBytes: machine.memoryBytes, node: process.version },
    settings: settingsOf(options),
    plan: planText(plan)
      .trimEnd()
      .split('\n')
      .map((line) => line.trim()),
    clients,
    updates,
    deliveries,
    latency,
    slowLatency: recorder.slowLatency.summary(),
    notified,
    current: currentOf(run),
    behind,
    server: serverCost(run.servers, clients.open),
    clientSide: clientSideOf(run, { open: clients.open, deliveries: deliveries.total }),
    bottleneck: bottleneckOf(run, { clients, updates }),
    thresholds: evaluateThresholds(options.thresholds, {
      ...sharesOf({ clients, updates, deliveries, behind }),
      ...latency,
    }),
    phases: [
      ...phaseOf('connect', run.phases.get('ramp')),
      ...phaseOf(options.updatesPerSecond > 0 ? 'publish' : 'idle', run.phases.get('publish')),
    ],
    series: recorder.series,
    latencyCurve: recorder.latency.curve(),
    slowLatencyCurve: recorder.slowLatency.curve(),
    notifiedCurve: lastUpdate.curve,
  };
}

function sumOf(figures: readonly Figures[], pick: (figures: Figures) => number): number {
  return figures.reduce((total, one) => total + pick(one), 0);
}

function endOf(signal: AbortSignal): Report['ended'] {
  if (!signal.aborted) return 'completed';
  return signal.reason === 'time' ? 'out of time' : 'interrupted';
}

/** Returns the options of the test for display, without credentials. */
function settingsOf(options: LoadtestOptions): Report['settings'] {
  const percent = (share: number) => `${Number((share * 100).toFixed(3))}%`;
  const pause = options.slowShare > 0 ? `, pausing for ${options.slowPauseMs / 1000} s` : '';
  return {
    ramp: `${options.rampMs / 1000} s`,
    topics: `${options.topics} (${options.topicsPerClient} per client, ${options.topicSpread})`,
    updates: `${options.updatesPerSecond} per second for ${options.durationMs / 1000} s`,
    payload: `${options.payloadBytes} B`,
    transports: formatTransportMix(options.mix, percent),
    'slow readers': `${percent(options.slowShare)}${pause}`,
    churn: `${options.churnPerSecond} clients per second`,
  };
}

function clientsOf({ plan, figures, phases, recorder, exitedClients }: TestRun): Report['clients'] {
  const opened = sumOf(figures, (one) => one.opened);
  const rampS = phases.get('ramp')?.durationS ?? 0;
  return {
    planned: plan.clients,
    opened,
    open: sumOf(figures, (one) => one.open),
    failed: addReasons(figures.map((one) => one.failed)),
    lost: addReasons(figures.map((one) => one.lost)),
    reconnectFailed: addReasons(figures.map((one) => one.reconnectFailed)),
    redirected: sumOf(figures, (one) => one.redirected),
    processExited: exitedClients,
    handshakes: sumOf(figures, (one) => one.handshakes),
    handshakesPerS: rampS === 0 ? 0 : opened / rampS,
    handshakeLatency: recorder.handshakeLatency.summary(),
  };
}

function updatesOf({ publisher }: TestRun): Report['updates'] {
  const figures = publisher?.figures ?? { due: 0, accepted: 0, failed: {}, retried: {} };
  return { ...figures, responseLatency: publisher?.responseLatency.summary() };
}

function deliveriesOf({ figures, publisher, recorder }: TestRun, notifiedMs: number | undefined): Report['deliveries'] {
  const total = sumOf(figures, (one) => one.deliveries);
  return {
    total,
    perS: total / Math.max(1, publisher?.durationS(notifiedMs) ?? 0),
    peakPerS: Math.max(0, ...recorder.series.map((point) => point.deliveries)),
    skipped: sumOf(figures, (one) => one.skipped),
    duplicates: sumOf(figures, (one) => one.duplicates),
    caughtUp: sumOf(figures, (one) => one.caughtUp),
  };
}

/** Returns the times by the last of the checks. */
function currentOf({ checks, publisher, servers }: TestRun): Report['current'] {
  const last = checks.filter(({ afterS }) => afterS === checks.at(-1)?.afterS);
  return currentWithin({
    times: last.flatMap(({ current }) => current),
    assignedAfterMs: (update) => publisher?.assignedAfterMs(update),
    relaysMeanMs: (share) => relaysMeanMs(servers, share),
  });
}

function clientSideOf(run: TestRun, { open, deliveries }: { open: number; deliveries: number }): Report['clientSide'] {
  const residentBytes = sumOf(run.figures, (one) => one.residentBytes);
  return {
    cpuPerDeliveryUs: clientCpuPerDeliveryUs(run.clientCpuS, deliveries),
    memoryPerClientBytes: perClient(residentBytes - run.initialBytes, open),
    residentBytes,
    kernelPerClientBytes: kernelPerClientBytes(run.kernel, open),
    availableBytes: availableMemoryBytes(),
  };
}

function bottleneckOf(run: TestRun, { clients, updates }: Pick<Report, 'clients' | 'updates'>): string {
  const { options, plan, machine, phases, servers, clientCpuS } = run;
  const ramp = phases.get('ramp');
  const publish = phases.get('publish');
  const hardLimit = plan.limits.find(({ beyond }) => beyond === undefined);
  return findBottleneck({
    rampEndedBy: run.rampEndedBy,
    limitedBy: plan.clients < plan.requested ? hardLimit?.name : undefined,
    failed: clients.failed,
    lost: clients.lost,
    reconnectFailed: clients.reconnectFailed,
    unreachable: run.unreachable,
    updatesFailed: updates.failed,
    tcpRanShort: run.tcpRanShort,
    plannedClients: plan.clients,
    plannedRampS: options.rampMs / 1000,
    rampS: ramp?.durationS ?? 0,
    rampCpu: ramp?.cpu,
    publishCpu: publish?.cpu,
    activity: options.updatesPerSecond > 0 ? 'while updates were published' : 'while clients were idle',
    testCpu: testCpu({
      servers: plan.relays > 0 ? servers : undefined,
      clientCpuS,
      durationS: publish?.durationS,
      cpus: machine.cpus,
    }),
    relayCpu: busiestRelayCpu(servers, publish?.durationS),
    busiest: run.recorder.takeBusiest(),
  });
}

/** Returns the shares that thresholds can limit. */
function sharesOf(
  report: Pick<Report, 'clients' | 'updates' | 'deliveries' | 'behind'>,
): Partial<Record<ThresholdName, number | undefined>> {
  const { clients, updates, deliveries, behind } = report;
  const { total, skipped } = deliveries;
  const behindShares = behind.map(({ afterS, clients: count }) => [
    `behind-${afterS}s`,
    count === undefined ? undefined : count / Math.max(1, clients.opened),
  ]);
  return {
    // Includes clients whose process exited and clients that did not start before the ramp ended.
    failed: 1 - clients.opened / clients.planned,
    lost: countReasons(clients.lost) / clients.planned,
    'publish-failed': updates.due === 0 ? undefined : countReasons(updates.failed) / updates.due,
    conflated: total === 0 ? undefined : skipped / (total + skipped),
    ...Object.fromEntries(behindShares),
  };
}

function phaseOf(name: string, phase: Phase | undefined): Report['phases'] {
  return phase ? [{ name, fromS: phase.startS, toS: phase.startS + phase.durationS }] : [];
}
