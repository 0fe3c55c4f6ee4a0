import { readFileSync } from 'node:fs';

/** Returns the CPU time of the main thread of a process so far, in microseconds; Linux only. */
export function mainThreadCpuUs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;
}
