import { readdirSync, readFileSync } from 'node:fs';

const PAGE_BYTES = 4096;

/** The memory of a process after garbage collection, in bytes; without JavaScript, the heap is 0. */
export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
}

/** A process under measurement. */
export interface MeasuredProcess {
  /** The CPU time of all threads so far, in microseconds. */
  readonly cpuUs: number;
  /** The resident memory without a garbage collection, in bytes. */
  readonly residentBytes: number;
  /** Collects garbage, if the process has any, and returns its memory. */
  memory(): Promise<Memory>;
}

/** Returns the CPU time of all threads of a process so far, in microseconds; Linux only. */
export function cpuUsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce(
    (sum, task) => sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000,
    0,
  );
}

/** Returns the resident memory of a process, in bytes; Linux only. */
export function residentBytesOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}

/** Returns a process without JavaScript as one under measurement; Linux only. */
export function measuredProgram(pid: number): MeasuredProcess {
  return {
    get cpuUs() {
      return cpuUsOf(pid);
    },
    get residentBytes() {
      return residentBytesOf(pid);
    },
    memory: async () => ({ rss: residentBytesOf(pid), heapUsed: 0 }),
  };
}

/** Returns several processes as one: their costs are added. */
export function measuredTogether(processes: readonly MeasuredProcess[]): MeasuredProcess {
  const sum = (of: (process: MeasuredProcess) => number) => processes.reduce((total, each) => total + of(each), 0);
  return {
    get cpuUs() {
      return sum(({ cpuUs }) => cpuUs);
    },
    get residentBytes() {
      return sum(({ residentBytes }) => residentBytes);
    },
    async memory() {
      const all = await Promise.all(processes.map((each) => each.memory()));
      const total = (key: keyof Memory) => all.reduce((bytes, memory) => bytes + memory[key], 0);
      return { rss: total('rss'), heapUsed: total('heapUsed') };
    },
  };
}
