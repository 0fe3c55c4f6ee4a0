import type { ServerFigures } from '../cluster/server-metrics.ts';
import type { Report } from '../report/report.ts';

/** Fewer clients than these weigh less than what else a process or this machine needs meanwhile. */
const MIN_WEIGHED = 5000;

/** Memory of the kernel's objects before the clients came, and when all were there. */
export interface KernelSights {
  readonly empty: number | undefined;
  readonly full: number | undefined;
}

/** What the relays said: before the clients came, when all were there, and after the updates. */
export interface ServerSights {
  readonly empty?: ServerFigures | undefined;
  readonly full?: ServerFigures | undefined;
  readonly after?: ServerFigures | undefined;
}

/** CPU seconds of the processes of the clients when all were there, and after the updates. */
export interface CpuSights {
  readonly full?: number | undefined;
  readonly after?: number | undefined;
}

function difference(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}

/** What each client weighs; undefined for few, beside whom everything else weighs more. */
export function perClient(bytes: number | undefined, clients: number): number | undefined {
  return bytes === undefined || clients < MIN_WEIGHED ? undefined : bytes / clients;
}

/** What the relays have cost. */
export function serverCost({ empty, full, after }: ServerSights, clients: number): Report['server'] {
  const cpuS = difference(after?.cpuS, full?.cpuS);
  const deliveries = difference(after?.deliveries, full?.deliveries);
  return {
    cpuPerDeliveryUs: cpuS === undefined || !deliveries ? undefined : (cpuS / deliveries) * 1e6,
    memoryPerClientBytes: perClient(difference(full?.residentBytes, empty?.residentBytes), clients),
    residentBytes: full?.residentBytes,
    conflated: difference(after?.conflated, full?.conflated),
    fellBehind: difference(after?.fellBehind, full?.fellBehind),
  };
}

/** What the kernel keeps for each client, for its ends that are on this machine. */
export function kernelPerClientBytes(sights: KernelSights | undefined, clients: number): number | undefined {
  return perClient(difference(sights?.full, sights?.empty), clients);
}

/** What the processes of the clients have cost while updates were published. */
export function clientCpuPerDeliveryUs(cpuS: CpuSights, deliveries: number): number | undefined {
  const tookS = difference(cpuS.after, cpuS.full);
  return tookS === undefined || deliveries === 0 ? undefined : (tookS / deliveries) * 1e6;
}

/** What clients, and relays that were started here, took of all cores while updates were published, from 0 to 1. */
export function ownCpu(sights: {
  servers: ServerSights | undefined;
  clientCpuS: CpuSights;
  tookS: number | undefined;
  cpus: number;
}): number | undefined {
  const { servers, clientCpuS, tookS, cpus } = sights;
  const relays = servers ? difference(servers.after?.cpuS, servers.full?.cpuS) : 0;
  const clients = difference(clientCpuS.after, clientCpuS.full);
  if (relays === undefined || clients === undefined || !tookS) return undefined;
  return Math.min(1, (relays + clients) / tookS / cpus);
}

/** How much of a core the busiest relay took while updates were published, from 0 to 1. */
export function busiestRelay({ full, after }: ServerSights, tookS: number | undefined): number | undefined {
  if (!full || !after || !tookS) return undefined;
  const shares = after.cpuPerRelayS.map((cpuS, i) => ((cpuS ?? 0) - (full.cpuPerRelayS[i] ?? 0)) / tookS);
  return Math.min(1, Math.max(0, ...shares));
}
