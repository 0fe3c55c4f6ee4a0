import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { findRedis, type LocalCluster, startLocalCluster } from './cluster/local-cluster.ts';
import { helpText } from './options/option-table.ts';
import type { LoadtestOptions } from './options/options.ts';
import { OptionError, parseOptions } from './options/parse-options.ts';
import { fitPlan } from './plan/fit-plan.ts';
import { readMachine } from './plan/machine.ts';
import { planText } from './plan/plan-text.ts';
import type { Report } from './report/report.ts';
import { renderHtml } from './report/report-html.ts';
import { renderText } from './report/report-text.ts';
import { runLoadTest } from './run/load-test.ts';
import { createProgress } from './run/progress.ts';

const WRONG_OPTIONS = 2;
/** With more clients than these, pings every 25 s would be most of the work. */
const RARE_PINGS_FROM = 50_000;

function readOptions(): LoadtestOptions | number {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options !== 'help') return options;
    process.stdout.write(helpText());
    return 0;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${error.message}\n\nnpm run loadtest -- --help shows all options\n`);
    return WRONG_OPTIONS;
  }
}

function write(report: Report, { htmlFile, jsonFile }: LoadtestOptions): void {
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  process.stdout.write(jsonFile === '-' ? json : renderText(report));
  if (jsonFile !== undefined && jsonFile !== '-') writeFileSync(jsonFile, json);
  if (htmlFile !== undefined) writeFileSync(htmlFile, renderHtml(report));
}

/** Runs the test; resolves with the exit code. */
async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  const { PATH: path = '', WEBHOOK_SECRET: secret, WEBHOOK_TOKEN: token, RELAY_TOKEN: relayToken } = process.env;
  const machine = readMachine();
  const hasRedis = findRedis(path) !== undefined;
  const { plan, refusal } = fitPlan(options, machine, { hasRedis });
  process.stderr.write(planText(plan));
  if (refusal !== undefined) {
    process.stderr.write(`${refusal}\n`);
    return WRONG_OPTIONS;
  }
  if (options.onlyPlan) return 0;
  if (options.cluster && !secret && !token) {
    process.stderr.write('WEBHOOK_SECRET or WEBHOOK_TOKEN must be set: the test publishes\n');
    return WRONG_OPTIONS;
  }

  const ending = new AbortController();
  let exitCode: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (exitCode !== undefined) process.exit(exitCode); // asked twice
      exitCode = 128 + constants.signals[signal];
      ending.abort('signal');
    });
  }
  setTimeout(() => ending.abort('time'), options.maxTimeMs).unref();

  const progress = createProgress(process.stderr);
  let local: LocalCluster | undefined;
  try {
    if (!options.cluster) {
      progress.phase('starting the cluster', 0);
      const pingInterval = plan.clients > RARE_PINGS_FROM ? '55s' : '25s';
      local = await startLocalCluster({ relays: plan.relays, path, pingInterval });
    }
    const cluster = options.cluster ?? local;
    if (!cluster) throw new TypeError('there is no cluster');
    const publish = local ? { token: local.token } : secret ? { secret } : { token: token ?? '' };
    const what = local?.what ?? `${cluster.relays.map(({ authority }) => authority).join(', ')}`;
    const credentials = { publish, relayToken };
    const deps = { options, plan, machine, cluster, what, credentials, progress, signal: ending.signal };
    const report = await runLoadTest(deps);
    write(report, options);
    return exitCode ?? (report.verdicts.every(({ isKept }) => isKept) ? 0 : 1);
  } catch (error) {
    progress.end();
    process.stderr.write(`the load test could not run: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCode ?? 1;
  } finally {
    await local?.stop();
  }
}

process.exit(await main());
