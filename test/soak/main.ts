import { parseArgs } from 'node:util';
import { renderTable } from '../bench/render-report.ts';
import { soak } from './soak.ts';

const USAGE = `Runs a cluster under churn and faults, and checks that its processes hold no more in the end than in the beginning.

npm run soak -- [options]

  --minutes N   how long, from 0.1 to 1440; default 30
  --help        prints this

Exits with 1 if a value exceeds its limit, or a client misses an update. Needs Linux, and a build (npm run build).
`;
const MAX_PAUSE_MS = 15_000;
const MIN_PAUSE_MS = 1000;
const MIB = 1024 * 1024;

function readMinutes(args: string[]): number | 'help' {
  const { values } = parseArgs({ args, options: { minutes: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help) return 'help';
  const minutes = Number(values.minutes ?? 30);
  if (minutes >= 0.1 && minutes <= 1440) return minutes;
  throw new Error(`--minutes must be a number from 0.1 to 1440, not ${values.minutes}`);
}

let minutes: number | 'help';
try {
  minutes = readMinutes(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(2);
}
if (minutes === 'help') {
  console.info(USAGE);
} else {
  const pauseMs = Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, (minutes * 60_000) / 20));
  const result = await soak({ minutes, pauseMs, progress: (text) => console.error(text) });
  const show = (what: string, value: number) =>
    /heap|rss/.test(what) ? `${(value / MIB).toFixed(1)} MiB` : String(Math.floor(value));
  const rows = result.rows.map(({ what, before, after, atMost }) => [
    what,
    show(what, before),
    show(what, after),
    show(what, atMost),
    after <= atMost ? 'yes' : 'NO',
  ]);
  console.info(renderTable(['what', 'before', 'after', 'at most', 'reached'], rows));
  const { faults, visits, updates, behind } = result;
  console.info(`${faults} faults, ${visits} visits, ${updates} updates; ${behind} clients behind in the end`);
  if (behind > 0 || result.rows.some(({ after, atMost }) => !(after <= atMost))) process.exitCode = 1;
}
