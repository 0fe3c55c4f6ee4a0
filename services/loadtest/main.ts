import { constants } from 'node:os';
import { readPackageVersion } from '../shared/package-version.ts';
import { commandLine } from '../shared/process/command-line.ts';
import { findRedis, type LocalCluster, startLocalCluster } from './cluster/local-cluster.ts';
import { helpText } from './options/option-table.ts';
import type { LoadtestOptions, TargetCluster } from './options/options.ts';
import { OptionError, parseOptions } from './options/parse-options.ts';
import { fitPlan } from './plan/fit-plan.ts';
import { readMachine } from './plan/machine.ts';
import { planText } from './plan/plan-text.ts';
import { checkReportFiles, writeReport } from './report/report-files.ts';
import { runLoadTest } from './run/load-test.ts';
import { createProgress } from './run/progress.ts';
import { resolveTargets } from './wire/target.ts';

const INVALID_OPTIONS = 2;
/** With more clients, pings every 45 s would be most of the load. */
const RARE_PINGS_FROM = 50_000;

const started = (args: readonly string[]) => commandLine('loadtest', args, process.env);

function readOptions(): LoadtestOptions | number {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options !== 'help') {
      checkReportFiles(options);
      return options;
    }
    process.stdout.write(helpText(started));
    return 0;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${error.message}\n\n${started(['--help'])} shows all options\n`);
    return INVALID_OPTIONS;
  }
}

async function resolveCluster(cluster: TargetCluster | undefined): Promise<TargetCluster | undefined> {
  return cluster && { ...cluster, relays: await resolveTargets(cluster.relays) };
}

/** Ends the test on the first signal and the process on the second. */
function endOnSignals(ending: AbortController): { exitCode: number | undefined } {
  const state: { exitCode: number | undefined } = { exitCode: undefined };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (state.exitCode !== undefined) process.exit(state.exitCode);
      state.exitCode = 128 + constants.signals[signal];
      ending.abort('signal');
    });
  }
  return state;
}

/** Runs the test and returns the exit code. */
async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  const { PATH: path = '', WEBHOOK_SECRET: secret, WEBHOOK_TOKEN: token, RELAY_TOKEN: relayToken } = process.env;
  const machine = readMachine();
  const ending = new AbortController();
  const state = endOnSignals(ending);
  const progress = createProgress(process.stderr);
  let local: LocalCluster | undefined;
  try {
    const given = await resolveCluster(options.cluster);
    const hasRedis = findRedis(path) !== undefined;
    const { plan, refusal } = fitPlan(options, machine, { relays: given?.relays ?? [], hasRedis });
    process.stderr.write(planText(plan));
    if (refusal !== undefined) {
      process.stderr.write(`${refusal}\n`);
      return INVALID_OPTIONS;
    }
    if (options.planOnly) return 0;
    if (given && options.updatesPerSecond > 0 && !secret && !token) {
      process.stderr.write('WEBHOOK_SECRET or WEBHOOK_TOKEN must be set to publish\n');
      return INVALID_OPTIONS;
    }
    setTimeout(() => ending.abort('time'), options.maxTimeMs).unref();
    if (!given) {
      progress.phase('starting the cluster');
      const pingInterval = plan.clients > RARE_PINGS_FROM ? '55s' : '45s';
      local = await startLocalCluster({ relays: plan.relays, path, pingInterval, signal: ending.signal });
    }
    const cluster = given ?? local;
    if (!cluster) throw new TypeError('no cluster');
    const publish = local ? { token: local.token } : secret ? { secret } : { token: token ?? '' };
    const clusterDescription =
      local?.description ?? [...new Set(cluster.relays.map(({ authority }) => authority))].join(', ');
    const credentials = { publish, relayToken };
    const report = await runLoadTest({
      ...{ options, plan, machine, cluster, clusterDescription, credentials, progress, signal: ending.signal },
      version: readPackageVersion(),
      commandLine: started(process.argv.slice(2)),
    });
    writeReport(report, options);
    return state.exitCode ?? (report.thresholds.every(({ passed }) => passed) ? 0 : 1);
  } catch (error) {
    progress.end();
    process.stderr.write(`the load test could not run: ${error instanceof Error ? error.message : String(error)}\n`);
    return state.exitCode ?? 1;
  } finally {
    await local?.stop();
  }
}

process.exit(await main());
