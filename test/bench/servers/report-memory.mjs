// node --expose-gc --import <this file> …: on SIGUSR2, collects garbage and writes the memory usage as JSON to file
// descriptor 3.
import { writeSync } from 'node:fs';

process.on('SIGUSR2', () => {
  for (let i = 0; i < 3; i += 1) globalThis.gc();
  writeSync(3, `${JSON.stringify(process.memoryUsage())}\n`);
});
