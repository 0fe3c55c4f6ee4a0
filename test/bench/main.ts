import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { RedisProcess } from '../support/redis-process.ts';
import type { BenchResult } from './bench.ts';
import { BENCHES } from './benches.ts';
import { renderReport } from './render-report.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    against: { type: 'string' },
  },
});
const unknown = (values.only ?? []).filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`there is no bench ${unknown.join(', ')}, but ${BENCHES.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const redis = await RedisProcess.start();
const results: Record<string, BenchResult> = {};
const loads = [loadavg()[0] ?? 0];
try {
  for (const bench of BENCHES) {
    if (values.only && !values.only.includes(bench.name)) continue;
    const begunMs = performance.now();
    const { quick, against } = values;
    const progress = (text: string) => console.error(`${bench.name}: ${text}`);
    results[bench.name] = await bench.run({ redis, quick, against, progress });
    loads.push(loadavg()[0] ?? 0);
    console.error(`${bench.name}: done after ${((performance.now() - begunMs) / 1000).toFixed(0)} s`);
  }
} finally {
  await redis.stop();
}
console.info(renderReport({ benches: BENCHES, results, loads }));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ loads, results }, undefined, 2)}\n`);
