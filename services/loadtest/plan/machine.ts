import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** What this machine allows, or the container that this runs in. Where a limit cannot be read it is `Infinity`, or what Linux has by default. */
export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly availableBytes: number;
  /** Open files of one process (`ulimit -n`). */
  readonly filesPerProcess: number;
  /** Open files of the whole machine that are left. */
  readonly files: number;
  /** Ports that connections may come from, for each address. */
  readonly ports: number;
  /** Connections that the firewall may still follow; `Infinity` where it follows none. */
  readonly trackedConnections: number;
  /** Pages of memory that the kernel keeps for what TCP connections have sent or received. */
  readonly tcpPages: number;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // no Linux
  }
}

/** How much memory can be used without swapping, in bytes: of the machine, or of the container. */
export function availableMemoryBytes(): number {
  return process.availableMemory();
}

/** Memory of the kernel's objects, such as sockets, in bytes; undefined where that cannot be read. */
export function kernelMemoryBytes(): number | undefined {
  const kib = /^Slab:\s+(\d+) kB/m.exec(read('/proc/meminfo'))?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** How often the kernel had too little memory for TCP (`net.ipv4.tcp_mem`) since its start; 0 where that cannot be read. */
export function tcpShortages(): number {
  const [names = [], values = []] = [...read('/proc/net/netstat').matchAll(/^TcpExt: (.*)$/gm)].map(([, line = '']) =>
    line.split(' '),
  );
  const count = (name: string) => Number(values[names.indexOf(name)] ?? 0);
  return count('TCPMemoryPressures') + count('TCPAbortOnMemory');
}

/** CPU seconds that the whole machine has spent working since its start; undefined where that cannot be read. */
export function busyCpuS(): number | undefined {
  const times = /^cpu +(\d.*)$/m.exec(read('/proc/stat'))?.[1]?.split(' ').map(Number);
  if (!times) return undefined;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = times;
  return (user + nice + system + irq + softirq) / 100;
}

/** Looks at this machine. */
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
