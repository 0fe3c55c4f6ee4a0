import { VirtualTime } from '../support/virtual-time.ts';
import { checkPromise, checkRelays } from './check-invariants.ts';
import { CLIENT_FAULTS, PUBLISHING } from './client-faults.ts';
import type { Fault } from './fault.ts';
import { FaultInjector, type InjectedFault } from './fault-injector.ts';
import { FreshnessMonitor } from './freshness-monitor.ts';
import { LibraryClient } from './library-client.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { PROCESS_FAULTS } from './process-faults.ts';
import { Recovery } from './recovery.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import { type Sabotage, sabotageHubs } from './sabotage.ts';
import { FLOOR_SPREAD_MS, REPAIR_INTERVAL_MS } from './simulated-relay.ts';
import { Simulation } from './simulation.ts';
import { installVirtualGlobals } from './virtual-globals.ts';

/** The start of the range of a day in which runs begin, in milliseconds since 1970. */
const START_MS = 1_790_000_000_000;
const DAY_MS = 24 * 3600 * 1000;
const FIRST_CLIENTS = 6;
const MEAN_PAUSE_MS = 250;
/** The time after the faults until every client must be connected again: a client waits at most 30 s. */
const RETURN_MS = 120_000;
/**
 * The longest time of a repair after the faults: dead links are replaced, webhooks present their witness, relays run a
 * digest, and clients that cannot spread their refetch are notified at a limited pace.
 */
const REPAIRED_MS = 4000 + 2.2 * REPAIR_INTERVAL_MS + FLOOR_SPREAD_MS + 500;
/** The time after that in which no client may be notified. */
const SILENT_MS = 30_000;

/** Every event of a run. */
const ALL_FAULTS: readonly Fault[] = [
  PUBLISHING,
  ...CLIENT_FAULTS,
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...REDIS_FAULTS,
];

/** The result of a run. */
export interface SimulationResult {
  readonly seed: number;
  /** Violations of the promise, described; empty if it was kept. */
  readonly failures: readonly string[];
  /** The newest lines of the trace. */
  readonly trace: readonly string[];
  /** A hash of the whole trace: equal for runs that went the same way. */
  readonly digest: string;
  /** The time from the last fault until all clients were connected to a relay again. */
  readonly backAfterMs: number;
  /** The longest time from there, or from the last fault, until a client or a relay was up to date. */
  readonly repairedAfterMs: number;
  /** The faults and updates, in order. */
  readonly injected: readonly InjectedFault[];
}

/**
 * Runs a cluster for a number of steps, each a fault, an update or an action of a client, and checks the promise.
 * @param options.includes whether the fault of a step is injected; by default all are
 */
export async function runSimulation(options: {
  seed: number;
  steps: number;
  sabotage?: Sabotage;
  faults?: readonly Fault[];
  includes?: (step: number) => boolean;
}): Promise<SimulationResult> {
  const { seed, steps, sabotage, includes = () => true } = options;
  return runScript(seed, sabotage, async (simulation, monitor) => {
    const { time } = simulation;
    const pauses = simulation.random.fork('pauses');
    const faults = new FaultInjector({ simulation, faults: options.faults ?? ALL_FAULTS });
    for (
      let step = 0;
      step < steps && monitor.violations.length + simulation.receipts.violations.length === 0;
      step += 1
    ) {
      if (includes(step)) faults.inject(step);
      await time.runFor(-Math.log(1 - pauses.next()) * MEAN_PAUSE_MS);
    }
    faults.endAll();
    return faults.injected;
  });
}

/** Runs a cluster through a schedule of events, and checks the promise. The seed decides the rest. */
export function runSchedule(options: {
  seed: number;
  sabotage?: Sabotage;
  schedule: (simulation: Simulation) => Promise<void>;
}): Promise<SimulationResult> {
  return runScript(options.seed, options.sabotage, async (simulation) => {
    await options.schedule(simulation);
    return [];
  });
}

async function runScript(
  seed: number,
  sabotage: Sabotage | undefined,
  script: (simulation: Simulation, monitor: FreshnessMonitor) => Promise<readonly InjectedFault[]>,
): Promise<SimulationResult> {
  const time = new VirtualTime(START_MS + Math.floor(((seed * 0.618034) % 1) * DAY_MS));
  const simulation = new Simulation({ seed, time, sabotage });
  const { random, trace } = simulation;
  const uninstall = installVirtualGlobals(time, random.fork('pages'), simulation.fetch);
  const restoreHubs = sabotageHubs(sabotage);
  try {
    const monitor = new FreshnessMonitor(simulation);
    await time.runFor(3000);
    for (let i = 0; i < FIRST_CLIENTS; i += 1) simulation.addClient(random.fork(`client ${i}`));
    monitor.start();
    const injected = await script(simulation, monitor);
    trace.log('all faults end');
    const { failures, ...times } = await checkAfterFaults(simulation);
    return {
      seed,
      failures: [...new Set([...monitor.violations, ...simulation.receipts.violations, ...failures])],
      trace: trace.lines,
      digest: trace.digest,
      injected,
      ...times,
    };
  } finally {
    restoreHubs();
    uninstall();
  }
}

async function checkAfterFaults(
  simulation: Simulation,
): Promise<Pick<SimulationResult, 'failures' | 'backAfterMs' | 'repairedAfterMs'>> {
  const { time, clients } = simulation;
  const recovery = new Recovery(simulation);
  await recovery.watch(() => recovery.away.length === 0, RETURN_MS);
  const lost = recovery.away.map(({ name }) => `${name} has no connection to a relay, or no reply`);
  if (lost.length > 0) return { failures: lost, backAfterMs: Number.NaN, repairedAfterMs: Number.NaN };
  const allBackAtMs = time.nowMs;
  await recovery.watch(() => recovery.isRepaired, REPAIRED_MS);
  const { backAfterMs, repairedAfterMs } = recovery;
  await time.runFor(allBackAtMs + REPAIRED_MS - time.nowMs);
  // A client that subscribes again is notified if the base version, which is that of topics without an update, has changed.
  const steady = [...clients].filter((client) => !(client instanceof LibraryClient && client.subscribesAgain));
  const notified = () => steady.map(({ name, page }) => `${name} ${page.notified}`);
  const before = notified();
  const failures = checkPromise(simulation);
  if (repairedAfterMs > REPAIRED_MS) failures.push(`a connected client was up to date after ${repairedAfterMs} ms`);
  await time.runFor(SILENT_MS);
  const spurious = notified().filter((line, i) => line !== before[i]);
  // If the base version has just changed, which happens every half retention, not all relays have it yet.
  if (checkRelays(simulation).length > 0) await time.runFor(1.2 * REPAIR_INTERVAL_MS);
  return {
    failures: [
      ...failures,
      ...checkPromise(simulation),
      ...checkRelays(simulation),
      ...spurious.map((line) => `${line}: notified although nothing changed`),
    ],
    backAfterMs,
    repairedAfterMs,
  };
}
