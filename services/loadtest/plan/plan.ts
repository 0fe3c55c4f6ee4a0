import type { Machine } from './machine.ts';

/** What is to be planned. */
export interface PlanRequest {
  readonly clients: number;
  /** undefined: as many as are needed. */
  readonly processes: number | undefined;
  /** Addresses (host and port) of relays that are there already; 0 where a cluster is started here. */
  readonly targets: number;
  /** Whether they are on this machine, at loopback addresses. */
  readonly isLoopback: boolean;
  /** Relays to start, where they are started here; undefined: as many as are needed. */
  readonly relays: number | undefined;
  /** The most relays that can be started: 1 without a Redis. */
  readonly maxRelays: number;
  readonly churnPerSecond: number;
  readonly keepFreeBytes: number;
  /** The number of the first loopback address to come from: ports of the test before this one are taken for a while. */
  readonly firstAddress: number;
}

/** Something of which there is only so much. */
export interface Limit {
  readonly name: string;
  /** How many clients it allows. */
  readonly clients: number;
  /** How to lift it. */
  readonly remedy: string;
  /** More clients are allowed, but this is what happens to them. */
  readonly beyond?: string;
}

/** How clients are spread over processes, and what they meet. */
export interface Plan {
  readonly clients: number;
  /** Clients that were asked for, where not all of them fit. */
  readonly asked: number;
  /** How many clients each process has. */
  readonly processes: readonly number[];
  /** Where the connections of each process come from; empty lets the system choose. */
  readonly sourceAddresses: readonly (readonly string[])[];
  /** Relays that are started here. */
  readonly relays: number;
  /** Memory that is left alone: no more clients come then. */
  readonly keepFreeBytes: number;
  /** From the one that binds first on. */
  readonly limits: readonly Limit[];
}

/** Files that a process has beside its connections: libraries, pipes; a relay's own count is 200. */
const OWN_FILES = 200;
/** A closed connection keeps its port for a minute. */
const TIME_WAIT_S = 60;
/**
 * The part of the ports of an address that is planned with. Linux looks for a free one among the odd ones of the lower
 * half first, so from a quarter on each connection costs a search through thousands.
 */
const PORTS_SHARE = 0.2;
/**
 * Memory, a little above what was measured with 50,000 idle WebSockets on Linux 6 with Node 20: 2.1 KiB in the process
 * of a client, 5.1 KiB in the kernel for each end, 2.5 KiB in a relay; 15 MiB for a process of clients and 30 MiB for a
 * relay, beside what they share.
 */
const CLIENT_BYTES = 2.5 * 1024;
const KERNEL_BYTES = 5.25 * 1024;
const RELAY_BYTES = 2.75 * 1024;
const PROCESS_BYTES = 32 * 1024 * 1024;
/** More clients in one process than these keep its event loop too busy to measure well; a relay stays below its limit. */
const SUITABLE_CLIENTS = 18_000;

/** How many loopback addresses there are to come from. */
export const LOOPBACK_ADDRESSES = 254 * 256 * 254;

/** The n-th of them, from 127.1.0.1 on. */
export function loopbackAddress(n: number): string {
  const at = n % LOOPBACK_ADDRESSES;
  const host = 0x01_0001 + at + 2 * Math.floor(at / 254); // without those that end in 0 or 255
  return `127.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}`;
}

/** Plans a load test; which limit binds is the first of its limits, whether or not the clients fit in. */
export function makePlan(request: PlanRequest, machine: Machine): Plan {
  const { clients } = request;
  const isHere = request.targets === 0;
  const perProcess = Math.max(1, machine.filesPerProcess - OWN_FILES);
  const needed = Math.ceil(clients / Math.min(perProcess, SUITABLE_CLIENTS));
  const processCount = Math.max(1, Math.min(clients, request.processes ?? Math.max(needed, defaultProcesses(machine))));
  const relayCount = isHere ? Math.min(request.maxRelays, request.relays ?? needed) : 0;
  const processes = Array.from({ length: processCount }, (_, i) => Math.ceil((clients - i) / processCount));
  const usesLoopback = isHere || request.isLoopback;
  const limits = [
    ...fileLimits({ request, machine, perProcess, processCount, relayCount }),
    trackingLimit(machine),
    tcpLimit(machine),
    ...(usesLoopback ? [] : [portLimit(request, machine)]),
    memoryLimit({ request, machine, processes: processCount + relayCount }),
  ].sort((a, b) => a.clients - b.clients);
  return {
    clients,
    asked: clients,
    processes,
    relays: relayCount,
    keepFreeBytes: request.keepFreeBytes,
    sourceAddresses: usesLoopback ? planAddresses(processes, { request, machine }) : processes.map(() => []),
    limits,
  };
}

/** One core is for the servers, where there are two. */
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
  const each = `open files of each process (ulimit -n: ${machine.filesPerProcess})`;
  const raise = 'raise it with ulimit -n, as far as ulimit -Hn allows, or in limits.conf or LimitNOFILE=';
  const limits: Limit[] = [];
  if (request.processes !== undefined) {
    const remedy = `give more --processes, or ${raise}`;
    limits.push({ name: `${each} of the clients`, clients: perProcess * processCount, remedy });
  }
  if (relayCount > 0 && (request.relays !== undefined || relayCount === request.maxRelays)) {
    const more =
      request.maxRelays === 1 ? 'install redis-server, so that there can be several relays' : 'give more --relays';
    limits.push({ name: `${each} of the relays`, clients: perProcess * relayCount, remedy: `${more}, or ${raise}` });
  }
  const ends = request.targets === 0 || request.isLoopback ? 2 : 1;
  const own = (processCount + relayCount) * OWN_FILES;
  limits.push({
    name: 'open files of this machine (fs.file-max, less what is open)',
    clients: Math.max(0, Math.floor((machine.files - own) / ends)),
    remedy: 'raise it with sysctl fs.file-max',
  });
  return limits;
}

function portLimit(request: PlanRequest, machine: Machine): Limit {
  return {
    name: `ports for connections to ${request.targets === 1 ? 'one address' : `${request.targets} addresses`}`,
    clients: Math.max(0, Math.floor(machine.ports * request.targets - request.churnPerSecond * TIME_WAIT_S)),
    remedy: 'give more --relay addresses, run from more machines, or widen sysctl net.ipv4.ip_local_port_range',
  };
}

function trackingLimit(machine: Machine): Limit {
  return {
    name: 'connections that the firewall of this machine follows (nf_conntrack_max, less what it follows)',
    clients: Math.max(0, machine.trackedConnections),
    remedy:
      'raise it with sysctl net.netfilter.nf_conntrack_max, or let the firewall pass these without following them',
  };
}

/** An update that waits for its reader takes a page; measured with a million that were told at once. */
function tcpLimit(machine: Machine): Limit {
  return {
    name: 'memory that the kernel here keeps for TCP (the last of net.ipv4.tcp_mem), where all are told at once',
    clients: machine.tcpPages,
    remedy: 'raise it with sysctl net.ipv4.tcp_mem',
    beyond: 'more are told later, and some lose their connection',
  };
}

function memoryLimit(deps: { request: PlanRequest; machine: Machine; processes: number }): Limit {
  const { request, machine, processes } = deps;
  const isHere = request.targets === 0;
  const perClient = CLIENT_BYTES + KERNEL_BYTES + (isHere ? KERNEL_BYTES + RELAY_BYTES : 0);
  const room = machine.availableBytes - request.keepFreeBytes - processes * PROCESS_BYTES;
  return {
    name: `memory (about ${Math.round(perClient / 1024)} KiB a client${isHere ? ', both ends' : ''})`,
    clients: Math.max(0, Math.floor(room / perClient)),
    remedy: isHere ? 'run the clients on another machine than the relays, or lower --keep-free' : 'lower --keep-free',
  };
}

/** Each process has addresses of its own: bound ports of one address are shared by nobody. */
function planAddresses(
  processes: readonly number[],
  { request, machine }: { request: PlanRequest; machine: Machine },
): readonly (readonly string[])[] {
  const waiting = (request.churnPerSecond * TIME_WAIT_S) / processes.length;
  let next = request.firstAddress;
  return processes.map((clients) =>
    Array.from({ length: Math.max(1, Math.ceil((clients + waiting) / (machine.ports * PORTS_SHARE))) }, () => {
      next += 1;
      return loopbackAddress(next - 1);
    }),
  );
}
