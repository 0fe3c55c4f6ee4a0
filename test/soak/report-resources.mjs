// node --expose-gc --import <this file> …: on SIGUSR2, collects garbage and writes what the process holds as one line of
// JSON to standard output.
import { readdirSync } from 'node:fs';

let reports = 0;
process.on('SIGUSR2', () => {
  for (let i = 0; i < 3; i += 1) globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  const files = readdirSync('/proc/self/fd').length;
  reports += 1;
  console.info(JSON.stringify({ soak: { report: reports, rss, heap: heapUsed + external, files } }));
});
