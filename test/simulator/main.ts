import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { commandLine } from '../../services/shared/process/command-line.ts';
import { runSimulation, type SimulationResult } from './run-simulation.ts';
import { shrinkFailure } from './shrink-failure.ts';
import { runSeeds, type SeedResult } from './simulation-workers.ts';

const started = (...args: string[]) => commandLine('simulate', args, process.env);

const USAGE = `Runs a whole cluster on a virtual clock and network, with faults, and checks the promise.

${started('--seed', '7')}

  --seed N      the first seed, from 0 to 4294967295; default 1. The same seed is the same run
  --seeds N     how many seeds to run; default 1. A single one prints its trace if it fails
  --steps N     faults, updates and actions of clients in each run; default 200
  --workers N   processes that share the seeds; default: one for each core (${availableParallelism()} here)
  --shrink      reduces a seed that fails to a minimal list of faults
  --help        prints this

Every night, on new seeds and all cores:  ${started('--seeds', '20000', '--seed')} $(date +%s)
`;

const PROGRESS_INTERVAL_MS = process.stdout.isTTY ? 1000 : 60_000;

class UsageError extends Error {}

/** Returns the options of the command line. Throws `UsageError` if one is invalid. */
function readOptions(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  let values: { [name: string]: string | boolean | undefined };
  try {
    const options = { seed: text, seeds: text, steps: text, workers: text, shrink: flag, help: flag };
    values = parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const integer = (name: string, fallback: number, min: number, max: number) => {
    const value = Number(values[name] ?? fallback);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new UsageError(`--${name} must be an integer from ${min} to ${max}, not ${values[name]}`);
  };
  return {
    seed: integer('seed', 1, 0, 2 ** 32 - 1),
    seeds: integer('seeds', 1, 1, 10_000_000),
    steps: integer('steps', 200, 1, 100_000),
    workers: integer('workers', availableParallelism(), 1, 256),
    shrink: values.shrink === true,
    help: values.help === true,
  };
}

function printFailures({ seed, failures }: SeedResult, steps: number): void {
  console.info(`seed ${seed} fails (${started('--seed', `${seed}`, '--steps', `${steps}`, '--shrink')}):`);
  for (const failure of failures) console.info(`  ${failure}`);
}

/** Runs one seed. Returns whether the promise was kept. */
async function runOne(options: { seed: number; steps: number; shrink: boolean }): Promise<boolean> {
  const { seed, steps } = options;
  const first = await runSimulation({ seed, steps });
  if (first.failures.length === 0) {
    console.info(`seed ${seed} keeps the promise`);
    return true;
  }
  let result: SimulationResult = first;
  if (options.shrink) {
    const tried = (left: number) =>
      void (process.stderr.isTTY && process.stderr.write(`\r${left} faults left \u001b[K`));
    result = await shrinkFailure({ failed: first, options: { seed, steps }, tried });
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }
  for (const line of result.trace) console.info(line);
  printFailures(result, steps);
  if (options.shrink) {
    console.info(`${result.injected.length} of ${first.injected.length} faults and updates are needed:`);
    for (const { step, description } of result.injected) console.info(`  step ${step}, ${description}`);
  }
  return false;
}

/** Runs many seeds. Returns whether the promise was kept in all. */
async function runMany(options: { seed: number; seeds: number; steps: number; workers: number }): Promise<boolean> {
  const { seed, seeds, steps } = options;
  const startedAtMs = performance.now();
  const backMs: number[] = [];
  const repairedMs: number[] = [];
  let failed = 0;
  const progress = () => {
    const done = backMs.length;
    const perSecond = done / ((performance.now() - startedAtMs) / 1000);
    const minutesLeft = Math.ceil((seeds - done) / perSecond / 60);
    const line = `${done} of ${seeds} seeds from ${seed} on, ${failed} failed, ${perSecond.toFixed(1)} per second, ${minutesLeft} min left`;
    process.stdout.write(process.stdout.isTTY ? `\r${line} \u001b[K` : `${line}\n`);
  };
  const timer = setInterval(progress, PROGRESS_INTERVAL_MS);
  await runSeeds({
    seeds: Array.from({ length: seeds }, (_, i) => seed + i),
    steps,
    workers: Math.min(options.workers, seeds),
    finished(result) {
      backMs.push(result.backAfterMs);
      repairedMs.push(result.repairedAfterMs);
      if (result.failures.length === 0) return;
      failed += 1;
      if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
      printFailures(result, steps);
    },
  });
  clearInterval(timer);
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K');
  const seconds = (performance.now() - startedAtMs) / 1000;
  console.info(
    `${seeds - failed} of ${seeds} runs kept the promise, in ${seconds.toFixed(1)} s. After the faults, all clients were ` +
      `reconnected after ${spread(backMs)}, and connected ones up to date after ${spread(repairedMs)}`,
  );
  return failed === 0;
}

function spread(times: readonly number[]): string {
  const sorted = times.filter((ms) => !Number.isNaN(ms)).sort((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)]} ms (median) and ${sorted.at(-1)} ms (maximum)`;
}

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (options.shrink && options.seeds > 1) throw new UsageError('--shrink takes one seed, without --seeds');
  return (await (options.seeds === 1 ? runOne(options) : runMany(options))) ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
