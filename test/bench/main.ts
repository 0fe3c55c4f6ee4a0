import { existsSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { olderBuild } from '../support/older-build.ts';
import { RedisProcess } from '../support/redis-process.ts';
import type { BenchResult } from './bench.ts';
import { BENCHES } from './benches.ts';
import { type Load, parseLoad } from './capacity/capacity.ts';
import { measureUnitCosts } from './capacity/measure-unit-costs.ts';
import { renderCapacity } from './capacity/render-capacity.ts';
import { renderReport } from './render-report.ts';

/** More than all benches take on a slow machine. */
const MAX_MINUTES = 30;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    against: { type: 'string' },
    capacity: { type: 'string' },
  },
});
const { only, quick } = values;
const unknown = (only ?? []).filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`unknown bench: ${unknown.join(', ')}; available: ${BENCHES.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
let load: Load | undefined;
try {
  load = values.capacity === undefined ? undefined : parseLoad(values.capacity);
} catch (error) {
  console.error((error as Error).message);
  process.exit(2);
}
setTimeout(() => {
  console.error(`stopped after ${MAX_MINUTES} minutes`);
  process.exit(1); // servers and clients exit with this process
}, MAX_MINUTES * 60_000).unref();

const { against: other } = values;
const against = other === undefined || existsSync(other) ? other : await olderBuild(other);
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
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ loads, results }, undefined, 2)}\n`);
