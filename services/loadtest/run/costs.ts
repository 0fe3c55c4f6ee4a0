import type { ServerFigures } from '../cluster/server-metrics.ts';
import type { Report } from '../report/report.ts';

/** With fewer clients, other memory of the processes and the machine outweighs theirs. */
const MIN_CLIENTS_FOR_MEMORY = 5000;

/** Kernel memory before the clients connected and with all clients connected, in bytes. */
export interface KernelSamples {
  readonly before: number | undefined;
  readonly connected: number | undefined;
}

/** Metrics of the relays before the clients connected, with all clients connected, and after the updates. */
export interface ServerSamples {
  readonly before?: ServerFigures | undefined;
  readonly connected?: ServerFigures | undefined;
  readonly after?: ServerFigures | undefined;
  /** When the relays had counted all updates. */
  readonly counted?: ServerFigures | undefined;
}

/** CPU seconds of the client processes with all clients connected, and after the updates. */
export interface CpuSamples {
  readonly connected?: number | undefined;
  readonly after?: number | undefined;
}

function difference(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}

/** Returns bytes per client; undefined for too few clients to be meaningful. */
export function perClient(bytes: number | undefined, clients: number): number | undefined {
  return bytes === undefined || clients < MIN_CLIENTS_FOR_MEMORY ? undefined : bytes / clients;
}

/** Returns CPU and memory of the relays, and their counts while updates were published. */
export function serverCost({ before, connected, after }: ServerSamples, clients: number): Report['server'] {
  const cpuS = difference(after?.cpuS, connected?.cpuS);
  const deliveries = difference(after?.deliveries, connected?.deliveries);
  return {
    cpuPerDeliveryUs: cpuS === undefined || !deliveries ? undefined : (cpuS / deliveries) * 1e6,
    memoryPerClientBytes: perClient(difference(connected?.residentBytes, before?.residentBytes), clients),
    residentBytes: connected?.residentBytes,
    conflated: difference(after?.conflated, connected?.conflated),
    fellBehind: difference(after?.fellBehind, connected?.fellBehind),
  };
}

/** Returns the mean time until a share of the subscribers was current, as the relays measured it. */
export function relaysMeanMs({ connected, counted }: ServerSamples, share: number): number | undefined {
  const of = (figures: ServerFigures | undefined) => figures?.current.find((one) => one.share === share);
  const count = difference(of(counted)?.count, of(connected)?.count);
  const sumS = difference(of(counted)?.sumS, of(connected)?.sumS);
  return count && sumS !== undefined ? (sumS * 1000) / count : undefined;
}

/** Returns the kernel memory per client, for the connection ends on this machine. */
export function kernelPerClientBytes(samples: KernelSamples | undefined, clients: number): number | undefined {
  return perClient(difference(samples?.connected, samples?.before), clients);
}

/** Returns the CPU of the client processes per delivery while updates were published. */
export function clientCpuPerDeliveryUs(cpuS: CpuSamples, deliveries: number): number | undefined {
  const usedS = difference(cpuS.after, cpuS.connected);
  return usedS === undefined || deliveries === 0 ? undefined : (usedS / deliveries) * 1e6;
}

/** Returns the share of all cores, from 0 to 1, that clients and local relays used while updates were published. */
export function testCpu(samples: {
  /** undefined if the relays do not run on this machine. */
  servers: ServerSamples | undefined;
  clientCpuS: CpuSamples;
  durationS: number | undefined;
  cpus: number;
}): number | undefined {
  const { servers, clientCpuS, durationS, cpus } = samples;
  const relays = servers ? difference(servers.after?.cpuS, servers.connected?.cpuS) : 0;
  const clients = difference(clientCpuS.after, clientCpuS.connected);
  if (relays === undefined || clients === undefined || !durationS) return undefined;
  return Math.min(1, (relays + clients) / durationS / cpus);
}

/** Returns the share of a core, from 0 to 1, that the busiest relay used while updates were published. */
export function busiestRelayCpu(
  { connected, after }: ServerSamples,
  durationS: number | undefined,
): number | undefined {
  if (!connected || !after || !durationS) return undefined;
  const shares = after.cpuPerRelayS.map((cpuS, i) => ((cpuS ?? 0) - (connected.cpuPerRelayS[i] ?? 0)) / durationS);
  return Math.min(1, Math.max(0, ...shares));
}
