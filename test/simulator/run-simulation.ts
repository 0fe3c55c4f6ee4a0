import { VirtualTime } from '../support/virtual-time.ts';
import { checkPromise, checkRelays } from './check-quiet-end.ts';
import { CLIENT_FAULTS } from './client-faults.ts';
import type { Fault } from './fault.ts';
import { Faults } from './faults.ts';
import { LibraryClient } from './library-client.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { PROCESS_FAULTS } from './process-faults.ts';
import { PUBLISHING } from './publishing.ts';
import { Recovery } from './recovery.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import type { Sabotage } from './sabotage.ts';
import { FLOOR_SPREAD_MS, REPAIR_INTERVAL_MS } from './simulated-relay.ts';
import { Simulation } from './simulation.ts';
import { installVirtualGlobals } from './virtual-globals.ts';
import { Watchman } from './watchman.ts';

/** Some time in 2026, in milliseconds; runs begin within a day after it. */
const START_MS = 1_790_000_000_000;
const DAY_MS = 24 * 3600 * 1000;
const FIRST_CLIENTS = 6;
const MEAN_PAUSE_MS = 250;
/** Until then every client must have found a relay again after the faults: a client waits 30 s at most. */
const RETURN_MS = 120_000;
/**
 * How long repair may take once faults have ended: a dead link is noticed and made anew, the webhooks remind their
 * broker, the relays look, and those who cannot spread their refetch are told one after another.
 */
const REPAIRED_MS = 4000 + 2.2 * REPAIR_INTERVAL_MS + FLOOR_SPREAD_MS + 500;
/** For so long nobody may be told anything after that. */
const SILENT_MS = 30_000;

/** All that may happen in a run. */
const ALL_FAULTS: readonly Fault[] = [
  PUBLISHING,
  ...CLIENT_FAULTS,
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...REDIS_FAULTS,
];

/** How a run went. */
export interface SimulationResult {
  readonly seed: number;
  /** What broke the promise, in words; empty where nothing did. */
  readonly failures: readonly string[];
  /** The newest lines of what happened. */
  readonly trace: readonly string[];
  /** The same for two runs in which the same happened. */
  readonly digest: string;
  /** How long after the last fault all clients had a line to a relay again. */
  readonly backAfterMs: number;
  /** How long it took at most, from there or from the last fault on, until a client or a relay had what it should. */
  readonly repairedAfterMs: number;
}

/** Runs a cluster for so many steps, each of them a fault, an update or a client's move, and checks the promise. */
export async function runSimulation(options: {
  seed: number;
  steps: number;
  sabotage?: Sabotage;
  faults?: readonly Fault[];
}): Promise<SimulationResult> {
  const { seed, steps, sabotage } = options;
  const time = new VirtualTime(START_MS + Math.floor(((seed * 0.618034) % 1) * DAY_MS));
  const simulation = new Simulation({ seed, time, sabotage });
  const { random, trace } = simulation;
  const uninstall = installVirtualGlobals(time, random, simulation.fetch);
  try {
    const watchman = new Watchman(simulation);
    const faults = new Faults({ simulation, faults: options.faults ?? ALL_FAULTS });
    await time.runFor(1000);
    for (let i = 0; i < FIRST_CLIENTS; i += 1) simulation.addClient();
    watchman.start();
    for (let i = 0; i < steps && watchman.findings.length === 0; i += 1) {
      faults.step();
      await time.runFor(-Math.log(1 - random.next()) * MEAN_PAUSE_MS);
    }
    faults.endAll();
    trace.note('all faults end');
    const { failures, ...times } = await judge(simulation);
    return {
      seed,
      failures: [...new Set([...watchman.findings, ...failures])],
      trace: trace.lines,
      digest: trace.digest,
      ...times,
    };
  } finally {
    uninstall();
  }
}

async function judge(
  simulation: Simulation,
): Promise<Pick<SimulationResult, 'failures' | 'backAfterMs' | 'repairedAfterMs'>> {
  const { time, clients } = simulation;
  const recovery = new Recovery(simulation);
  await recovery.watch(() => recovery.away.length === 0, RETURN_MS);
  const lost = recovery.away.map(({ name }) => `${name} has no line to a relay, or no answer`);
  if (lost.length > 0) return { failures: lost, backAfterMs: Number.NaN, repairedAfterMs: Number.NaN };
  const allBackAtMs = time.nowMs;
  await recovery.watch(() => recovery.isRepaired, REPAIRED_MS);
  const { backAfterMs, repairedAfterMs } = recovery;
  await time.runFor(allBackAtMs + REPAIRED_MS - time.nowMs);
  // Who comes back with every request is told where the number of a topic without an update has become another one.
  const listening = [...clients].filter((client) => !(client instanceof LibraryClient && client.polls));
  const told = () => listening.map(({ name, page }) => `${name} ${page.told}`);
  const before = told();
  const failures = checkPromise(simulation);
  if (repairedAfterMs > REPAIRED_MS) failures.push(`a client with a line was repaired after ${repairedAfterMs} ms`);
  await time.runFor(SILENT_MS);
  const spurious = told().filter((line, i) => line !== before[i]);
  // Where the time by which numbers are made has just passed half a retention, not all have heard of that yet.
  if (checkRelays(simulation).length > 0) await time.runFor(1.2 * REPAIR_INTERVAL_MS);
  return {
    failures: [
      ...failures,
      ...checkPromise(simulation),
      ...checkRelays(simulation),
      ...spurious.map((line) => `${line}: told something when nothing was to be told`),
    ],
    backAfterMs,
    repairedAfterMs,
  };
}
