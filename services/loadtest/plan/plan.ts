import type { Machine } from './machine.ts';

/** The request for a plan. */
export interface PlanRequest {
  readonly clients: number;
  /** undefined: as many as needed. */
  readonly processes: number | undefined;
  /** Number of distinct relay addresses (host and port); 0 if the cluster is started on this machine. */
  readonly targets: number;
  /** All relays have loopback addresses. */
  readonly isLoopback: boolean;
  /** Relays to start on this machine; undefined: as many as needed. */
  readonly relays: number | undefined;
  /** Upper limit of the relays to start: 1 without a Redis or Valkey. */
  readonly maxRelays: number;
  readonly churnPerSecond: number;
  readonly keepFreeBytes: number;
  /** Index of the first loopback source address; varied because ports of a previous test stay in TIME_WAIT. */
  readonly firstAddress: number;
}

/** A limit of this machine. */
export interface Limit {
  readonly name: string;
  /** The number of clients that it allows. */
  readonly clients: number;
  /** How to raise it. */
  readonly remedy: string;
  /** Set if the limit may be exceeded: the consequence. */
  readonly beyond?: string;
}

/** The distribution of clients over processes, and the limits that apply. */
export interface Plan {
  readonly clients: number;
  /** Clients requested; more than `clients` if not all fit. */
  readonly requested: number;
  /** The number of clients of each process. */
  readonly processes: readonly number[];
  /** The source addresses of each process; empty lets the system choose. */
  readonly sourceAddresses: readonly (readonly string[])[];
  /** Relays started on this machine. */
  readonly relays: number;
  /** Memory to leave free: the ramp ends when it is reached. */
  readonly keepFreeBytes: number;
  /** In ascending order of clients. */
  readonly limits: readonly Limit[];
}

/** Open files of a process besides its connections, such as libraries and pipes; the relay reserves the same number. */
const OWN_FILES = 200;
/** A closed connection occupies its port for a minute (TIME_WAIT). */
const TIME_WAIT_S = 60;
/**
 * The share of the ports of an address that is used. Linux searches the odd ports of the lower half first, so beyond a
 * quarter each new connection searches thousands of ports.
 */
const PORTS_SHARE = 0.2;
/**
 * Memory per client, slightly above the values measured with 50,000 idle WebSockets on Linux 6 with Node.js 20: 3.0 KiB
 * in the client process, 5.1 KiB in the kernel for each end, 1.7 KiB in the relay. A client process itself takes 15 MiB
 * and a relay 30 MiB, not counting shared memory.
 */
const CLIENT_BYTES = 3.5 * 1024;
const KERNEL_BYTES = 5.25 * 1024;
const RELAY_BYTES = 2 * 1024;
const PROCESS_BYTES = 32 * 1024 * 1024;
/** With more clients, the event loop of a process is too busy to measure accurately; also below the limit of a relay. */
const SUITABLE_CLIENTS = 18_000;

/** The number of usable loopback source addresses. */
export const LOOPBACK_ADDRESSES = 254 * 256 * 254;

/** Returns the loopback address with index `n`, starting at 127.1.0.1. */
export function loopbackAddress(n: number): string {
  const at = n % LOOPBACK_ADDRESSES;
  const host = 0x01_0001 + at + 2 * Math.floor(at / 254); // skips addresses that end in 0 or 255
  return `127.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}`;
}

/** Plans a load test. The first of its limits applies first; the plan does not check that the clients fit. */
export function makePlan(request: PlanRequest, machine: Machine): Plan {
  const { clients } = request;
  const isLocal = request.targets === 0;
  const perProcess = Math.max(1, machine.filesPerProcess - OWN_FILES);
  const needed = Math.ceil(clients / Math.min(perProcess, SUITABLE_CLIENTS));
  const processCount = Math.max(1, Math.min(clients, request.processes ?? Math.max(needed, defaultProcesses(machine))));
  const relayCount = isLocal ? Math.min(request.maxRelays, request.relays ?? needed) : 0;
  const processes = Array.from({ length: processCount }, (_, i) => Math.ceil((clients - i) / processCount));
  const usesLoopback = isLocal || request.isLoopback;
  const limits = [
    ...fileLimits({ request, machine, perProcess, processCount, relayCount }),
    trackingLimit(machine),
    tcpLimit(machine),
    ...(usesLoopback ? [] : [portLimit(request, machine)]),
    memoryLimit({ request, machine, processes: processCount + relayCount }),
  ].sort((a, b) => a.clients - b.clients);
  return {
    clients,
    requested: clients,
    processes,
    relays: relayCount,
    keepFreeBytes: request.keepFreeBytes,
    sourceAddresses: usesLoopback ? planAddresses(processes, { request, machine }) : processes.map(() => []),
    limits,
  };
}

/** Leaves half of the cores to the servers. */
function defaultProcesses(machine: Machine): number {
  return Math.max(1, Math.floor(machine.cpus / 2));
}

function fileLimits(deps: {
  request: PlanRequest;
  machine: Machine;
  perProcess: number;
  processCount: number;
  relayCount: number;
}): Limit[] {
  const { request, machine, perProcess, processCount, relayCount } = deps;
  const name = `open files per process (ulimit -n: ${machine.filesPerProcess})`;
  const raise = 'raise it with ulimit -n (up to ulimit -Hn), in limits.conf or with LimitNOFILE=';
  const limits: Limit[] = [];
  if (request.processes !== undefined) {
    const remedy = `use more --processes, or ${raise}`;
    limits.push({ name: `${name} of the clients`, clients: perProcess * processCount, remedy });
  }
  if (relayCount > 0 && (request.relays !== undefined || relayCount === request.maxRelays)) {
    const more =
      request.maxRelays === 1 ? 'install redis-server or valkey-server to start several relays' : 'use more --relays';
    limits.push({ name: `${name} of the relays`, clients: perProcess * relayCount, remedy: `${more}, or ${raise}` });
  }
  const ends = request.targets === 0 || request.isLoopback ? 2 : 1;
  const own = (processCount + relayCount) * OWN_FILES;
  limits.push({
    name: 'open files of this machine (fs.file-max minus the files in use)',
    clients: Math.max(0, Math.floor((machine.files - own) / ends)),
    remedy: 'raise it with sysctl fs.file-max',
  });
  return limits;
}

function portLimit(request: PlanRequest, machine: Machine): Limit {
  return {
    name: `ports for connections to ${request.targets === 1 ? 'one address' : `${request.targets} addresses`}`,
    clients: Math.max(0, Math.floor(machine.ports * request.targets - request.churnPerSecond * TIME_WAIT_S)),
    remedy: 'use more --relay addresses or more machines, or widen sysctl net.ipv4.ip_local_port_range',
  };
}

function trackingLimit(machine: Machine): Limit {
  return {
    name: 'connection tracking of the firewall on this machine (nf_conntrack_max minus the connections in use)',
    clients: Math.max(0, machine.trackedConnections),
    remedy: 'raise it with sysctl net.netfilter.nf_conntrack_max, or exempt these connections from tracking',
  };
}

/** An update in a socket buffer takes a page; measured with a million clients notified at once. */
function tcpLimit(machine: Machine): Limit {
  return {
    name: 'TCP memory of the kernel (last value of net.ipv4.tcp_mem), if all clients are notified at once',
    clients: machine.tcpPages,
    remedy: 'raise it with sysctl net.ipv4.tcp_mem',
    beyond: 'beyond it, clients are notified later and some connections are lost',
  };
}

function memoryLimit(deps: { request: PlanRequest; machine: Machine; processes: number }): Limit {
  const { request, machine, processes } = deps;
  const isLocal = request.targets === 0;
  const perClient = CLIENT_BYTES + KERNEL_BYTES + (isLocal ? KERNEL_BYTES + RELAY_BYTES : 0);
  const room = machine.availableBytes - request.keepFreeBytes - processes * PROCESS_BYTES;
  return {
    name: `memory (about ${Math.round(perClient / 1024)} KiB per client${isLocal ? ', both ends' : ''})`,
    clients: Math.max(0, Math.floor(room / perClient)),
    remedy: isLocal ? 'run clients and relays on different machines, or lower --keep-free' : 'lower --keep-free',
  };
}

/** Gives each process its own addresses, because processes cannot share the ports of an address. */
function planAddresses(
  processes: readonly number[],
  { request, machine }: { request: PlanRequest; machine: Machine },
): readonly (readonly string[])[] {
  const inTimeWait = (request.churnPerSecond * TIME_WAIT_S) / processes.length;
  let next = request.firstAddress;
  return processes.map((clients) =>
    Array.from({ length: Math.max(1, Math.ceil((clients + inTimeWait) / (machine.ports * PORTS_SHARE))) }, () => {
      next += 1;
      return loopbackAddress(next - 1);
    }),
  );
}
