import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** The limits of this machine or container. A limit that cannot be read is `Infinity` or the default of Linux. */
export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly availableBytes: number;
  /** Limit of open files per process (`ulimit -n`). */
  readonly filesPerProcess: number;
  /** Files that can still be opened on the whole machine. */
  readonly files: number;
  /** Source ports per local address. */
  readonly ports: number;
  /** Connections that the firewall can still track; `Infinity` if it tracks none. */
  readonly trackedConnections: number;
  /** Limit of memory pages for the buffers of TCP connections. */
  readonly tcpPages: number;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // not on Linux
  }
}

/** Returns the memory of the machine or container that can be used without swapping, in bytes. */
export function availableMemoryBytes(): number {
  return process.availableMemory();
}

/** Returns the memory of kernel objects such as sockets, in bytes; undefined if it cannot be read. */
export function kernelMemoryBytes(): number | undefined {
  const kib = /^Slab:\s+(\d+) kB/m.exec(read('/proc/meminfo'))?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** Returns how often TCP ran short of memory (`net.ipv4.tcp_mem`) since boot; 0 if it cannot be read. */
export function tcpShortages(): number {
  const [names = [], values = []] = [...read('/proc/net/netstat').matchAll(/^TcpExt: (.*)$/gm)].map(([, line = '']) =>
    line.split(' '),
  );
  const count = (name: string) => Number(values[names.indexOf(name)] ?? 0);
  return count('TCPMemoryPressures') + count('TCPAbortOnMemory');
}

/** Returns the CPU seconds that the whole machine was busy since boot; undefined if they cannot be read. */
export function busyCpuS(): number | undefined {
  const times = /^cpu +(\d.*)$/m.exec(read('/proc/stat'))?.[1]?.split(' ').map(Number);
  if (!times) return undefined;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = times;
  return (user + nice + system + irq + softirq) / 100;
}

/** Reads the limits of this machine. */
export function readMachine(): Machine {
  const soft = /^Max open files\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1];
  const [used, , most] = read('/proc/sys/fs/file-nr').trim().split(/\s+/).map(Number);
  const [low = 32_768, high = 60_999] = read('/proc/sys/net/ipv4/ip_local_port_range').trim().split(/\s+/).map(Number);
  return {
    cpus: availableParallelism(),
    memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY),
    availableBytes: availableMemoryBytes(),
    filesPerProcess: soft === undefined ? Number.POSITIVE_INFINITY : Number(soft),
    files: used === undefined || most === undefined ? Number.POSITIVE_INFINITY : most - used,
    ports: high - low + 1,
    trackedConnections: readTrackedConnections(),
    tcpPages: Number(read('/proc/sys/net/ipv4/tcp_mem').trim().split(/\s+/)[2] ?? Number.POSITIVE_INFINITY),
  };
}

function readTrackedConnections(): number {
  const values = ['count', 'max'].map((name) => Number(read(`/proc/sys/net/netfilter/nf_conntrack_${name}`)));
  const [used = 0, most = 0] = values;
  return used === 0 ? Number.POSITIVE_INFINITY : most - used;
}
