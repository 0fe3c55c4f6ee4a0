import { parseArgs } from 'node:util';
import { runSimulation } from './run-simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '200' },
  },
});
const [first, count, steps] = [Number(values.seed), Number(values.seeds), Number(values.steps)];
const startedAtMs = performance.now();
const backMs: number[] = [];
const repairedMs: number[] = [];
let failed = 0;
for (let seed = first; seed < first + count; seed += 1) {
  const { failures, trace, backAfterMs, repairedAfterMs } = await runSimulation({ seed, steps });
  backMs.push(backAfterMs);
  repairedMs.push(repairedAfterMs);
  if (failures.length === 0) continue;
  failed += 1;
  if (count === 1) for (const line of trace) console.info(line);
  console.info(`seed ${seed} fails (npm run simulate -- --seed ${seed} --steps ${steps}):`);
  for (const failure of failures) console.info(`  ${failure}`);
}
const seconds = (performance.now() - startedAtMs) / 1000;
console.info(
  `${count - failed} of ${count} runs kept the promise, in ${seconds.toFixed(1)} s. After the faults, all clients were ` +
    `reconnected after ${spread(backMs)}, and connected ones up to date after ${spread(repairedMs)}`,
);
process.exitCode = failed > 0 ? 1 : 0;

function spread(times: number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)]} ms (median) and ${sorted.at(-1)} ms (maximum)`;
}
