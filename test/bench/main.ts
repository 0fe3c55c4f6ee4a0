import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { olderBuild } from '../support/older-build.ts';
import { RedisProcess } from '../support/redis-process.ts';
import type { BenchResult } from './bench.ts';
import { BENCHES } from './benches.ts';
import { measureUnitCosts } from './capacity/measure-unit-costs.ts';
import { renderCapacity } from './capacity/render-capacity.ts';
import { type BenchOptions, MAX_MINUTES, parseBenchOptions, USAGE, UsageError } from './options.ts';
import { renderReport } from './render-report.ts';

let options: BenchOptions;
try {
  options = parseBenchOptions(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exit(2);
}
const { only, quick, load, json } = options;
if (options.help) {
  console.info(USAGE);
  process.exit(0);
}
if (options.build) {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  execFileSync('npm', ['run', '--silent', 'build'], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}
setTimeout(() => {
  console.error(`stopped after ${MAX_MINUTES} minutes`);
  process.exit(1); // servers and clients exit with this process
}, MAX_MINUTES * 60_000).unref();

const { against: other } = options;
const against = other && ('commit' in other ? await olderBuild(other.commit) : other.folder);
const redis = await RedisProcess.start();
const results: Record<string, BenchResult> = {};
const loads = [loadavg()[0] ?? 0];
try {
  if (load) {
    const progress = (text: string) => console.error(`capacity: ${text}`);
    console.info(renderCapacity(load, await measureUnitCosts({ redis, quick, against: undefined, progress })));
  }
  for (const bench of load ? [] : BENCHES) {
    if (only ? !only.includes(bench.name) : bench.isLong) continue;
    const startedMs = performance.now();
    const progress = (text: string) => console.error(`${bench.name}: ${text}`);
    try {
      results[bench.name] = await bench.run({ redis, quick, against, progress });
    } catch (error) {
      progress(`failed: ${error instanceof Error ? error.stack : error}`);
      process.exitCode = 1;
    }
    loads.push(loadavg()[0] ?? 0);
    progress(`ended after ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  }
} finally {
  await redis.stop();
}
if (!load) console.info(renderReport({ benches: BENCHES, results, loads }));
if (json !== undefined) writeFileSync(json, `${JSON.stringify({ loads, results }, undefined, 2)}\n`);
