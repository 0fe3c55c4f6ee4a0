import { addReasons, countReasons, type Reasons } from '../measure/figures.ts';
import type { Busiest } from '../measure/recorder.ts';
import { wholePercent } from '../report/format.ts';

/** What was observed of every possible bottleneck. Shares are from 0 to 1; undefined if they could not be measured. */
export interface Observations {
  readonly rampEndedBy: 'memory' | undefined;
  /** The limit that left no room for all requested clients. */
  readonly limitedBy: string | undefined;
  readonly failed: Reasons;
  readonly lost: Reasons;
  readonly reconnectFailed: Reasons;
  /** Relays that accept no connection at the end. */
  readonly unreachable: readonly string[];
  readonly updatesFailed: Reasons;
  /** The kernel of this machine ran short of TCP memory. */
  readonly tcpRanShort: boolean;
  readonly plannedClients: number;
  readonly plannedRampS: number;
  readonly rampS: number;
  /** CPU of this machine during the ramp, and while updates were published. */
  readonly rampCpu: number | undefined;
  readonly publishCpu: number | undefined;
  /** The activity after the ramp, such as "while updates were published". */
  readonly activity: string;
  /** The part of `publishCpu` that clients and local relays used. */
  readonly testCpu: number | undefined;
  /** Share of a core that the busiest relay used while updates were published. */
  readonly relayCpu: number | undefined;
  /** The busiest second of a client process while updates were published. */
  readonly busiest: Busiest;
}

const FULL = 0.9;
const REFUSED =
  'the relays or the network: connections were refused for a while, and are accepted at the end of the test';

const BY_REASON: readonly (readonly [pattern: RegExp, bottleneck: string])[] = [
  [/EMFILE/, 'the limit of open files per process on this machine (ulimit -n)'],
  [/ENFILE/, 'the limit of open files of this machine (sysctl fs.file-max)'],
  [
    /EADDRNOTAVAIL|EADDRINUSE/,
    'the source ports of this machine (widen sysctl net.ipv4.ip_local_port_range or use more source addresses)',
  ],
  [/ENOMEM|ENOBUFS/, 'the kernel memory of this machine'],
  [
    /HTTP 503/,
    'the relays: they are full (MAX_CONNECTIONS or their ulimit -n), or clients connect faster than CONNECTION_RATE',
  ],
  [/HTTP 429/, 'MAX_CONNECTIONS_PER_ADDRESS of the relays'],
  [/ECONNREFUSED/, REFUSED],
  [/no response|ETIMEDOUT/, 'the relays or the network: handshakes got no response'],
];

/** Describes in one sentence what limited the test. */
export function findBottleneck(seen: Observations): string {
  return fromCapacity(seen) ?? fromFailures(seen) ?? fromCpu(seen) ?? fromRamp(seen) ?? noBottleneck(seen);
}

function fromCapacity({ rampEndedBy, limitedBy }: Observations): string | undefined {
  if (rampEndedBy === 'memory') return 'the memory of this machine: the ramp ended to keep memory free (--keep-free)';
  return limitedBy === undefined ? undefined : `${limitedBy}: no room for more clients`;
}

function fromFailures(seen: Observations): string | undefined {
  const lost = addReasons([seen.lost, seen.reconnectFailed]);
  if (countReasons(seen.failed) + countReasons(lost) > seen.plannedClients / 1000) {
    const reasons = Object.keys({ ...lost, ...seen.failed });
    const known = BY_REASON.find(([pattern]) => reasons.some((reason) => pattern.test(reason)))?.[1];
    if (known === REFUSED && seen.unreachable.length > 0) {
      return `relays that accept no connections: ${seen.unreachable.join(', ')}`;
    }
    if (known) return known;
  }
  if (seen.tcpRanShort) {
    return 'the TCP memory of the kernel on this machine: it ran short, which delays data (sysctl net.ipv4.tcp_mem)';
  }
  return countReasons(seen.updatesFailed) > 0 ? 'the webhook: it did not accept every update' : undefined;
}

function fromCpu({ publishCpu = 0, testCpu, relayCpu = 0, activity, busiest }: Observations): string | undefined {
  if (publishCpu >= FULL) {
    const busy = `the CPU of this machine: ${wholePercent(publishCpu)} busy ${activity}`;
    if (testCpu === undefined) return busy;
    const others = testCpu < publishCpu / 2 ? '; other processes used the rest' : '';
    return `${busy}, ${wholePercent(testCpu)} by this test${others}`;
  }
  if (relayCpu >= FULL) return `the CPU core of one relay: ${wholePercent(relayCpu)} busy ${activity}`;
  if (busiest.clients < FULL) return undefined;
  return (busiest.cpu ?? 0) >= FULL
    ? `the CPU of this machine: ${wholePercent(busiest.cpu ?? 0)} busy in the second with the most deliveries`
    : `the load test itself: a client process was ${wholePercent(busiest.clients)} busy, which adds to the latencies (use more --processes)`;
}

function fromRamp({ rampS, plannedRampS, rampCpu = 0 }: Observations): string | undefined {
  if (rampS <= plannedRampS * 1.25 + 2) return undefined;
  return `the handshakes: the ramp took ${rampS.toFixed(0)} s instead of ${plannedRampS.toFixed(0)} s, with the CPU ${wholePercent(rampCpu)} busy`;
}

function noBottleneck({ publishCpu, relayCpu, busiest }: Observations): string {
  const values = [
    publishCpu === undefined ? '' : `CPU of this machine ${wholePercent(publishCpu)} busy`,
    relayCpu === undefined ? '' : `busiest relay ${wholePercent(relayCpu)} of a core`,
    `busiest client process ${wholePercent(busiest.clients)}`,
  ].filter((text) => text !== '');
  return `none found: ${values.join(', ')}`;
}
