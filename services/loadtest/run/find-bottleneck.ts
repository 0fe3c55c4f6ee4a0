import { addReasons, countReasons, type Reasons } from '../measure/figures.ts';
import type { Busiest } from '../measure/recorder.ts';
import { wholePercent } from '../report/format.ts';

/** What was seen of everything that may be a wall. Shares are from 0 to 1; undefined where it could not be seen. */
export interface Sights {
  readonly endedRampFor: 'memory' | undefined;
  /** What left no room for all clients that were asked for. */
  readonly shrunkBy: string | undefined;
  readonly failed: Reasons;
  readonly lost: Reasons;
  readonly notBack: Reasons;
  readonly updatesFailed: Reasons;
  /** Whether the kernel here had too little memory for what was on its way. */
  readonly tcpRanShort: boolean;
  readonly wanted: number;
  readonly rampS: number;
  readonly rampTookS: number;
  /** Of this machine's cores, while clients came and while updates were published. */
  readonly rampCpu: number | undefined;
  readonly publishCpu: number | undefined;
  /** What that was, in words. */
  readonly meanwhile: string;
  /** What clients, and relays that were started here, took of that. */
  readonly ownCpu: number | undefined;
  /** Of one core, of the busiest relay while updates were published. */
  readonly relayCpu: number | undefined;
  /** The busiest second of a process of clients while updates were published. */
  readonly busiest: Busiest;
}

const FULL = 0.9;

const WALLS: readonly (readonly [pattern: RegExp, wall: string])[] = [
  [/EMFILE/, 'the open files of a process here (ulimit -n)'],
  [/ENFILE/, 'the open files of this machine (sysctl fs.file-max)'],
  [
    /EADDRNOTAVAIL|EADDRINUSE/,
    'the ports of this machine (sysctl net.ipv4.ip_local_port_range, more source addresses)',
  ],
  [/ENOMEM|ENOBUFS/, 'the memory of the kernel here'],
  [
    /refused with 503/,
    'the relays: they are full (MAX_CONNECTIONS, their ulimit -n), or clients come faster than CONNECTION_RATE',
  ],
  [/refused with 429/, 'MAX_CONNECTIONS_PER_ADDRESS of the relays'],
  [/ECONNREFUSED/, 'nobody listens at a relay address'],
  [/no answer|ETIMEDOUT/, 'the relays, or the way to them: handshakes had no answer'],
];

/** Says in a sentence what kept the test from more. */
export function findWall(sights: Sights): string {
  const { failed, wanted } = sights;
  const lost = addReasons([sights.lost, sights.notBack]);
  if (sights.endedRampFor === 'memory')
    return 'the memory of this machine: the ramp was ended to keep some free (--keep-free)';
  if (sights.shrunkBy !== undefined) return `${sights.shrunkBy}: it leaves no room for more clients`;
  const reasons = { ...lost, ...failed };
  if (countReasons(failed) + countReasons(lost) > wanted / 1000) {
    for (const [pattern, wall] of WALLS) if (Object.keys(reasons).some((reason) => pattern.test(reason))) return wall;
  }
  if (sights.tcpRanShort)
    return 'the memory that the kernel here keeps for TCP: it ran short, and what was on its way came late (sysctl net.ipv4.tcp_mem)';
  if (countReasons(sights.updatesFailed) > 0) return 'the webhook: it did not accept every update';
  const { publishCpu = 0, ownCpu } = sights;
  if (publishCpu >= FULL) {
    const busy = `the CPU of this machine: ${wholePercent(publishCpu)} busy ${sights.meanwhile}`;
    if (ownCpu === undefined) return busy;
    const others = ownCpu < publishCpu / 2 ? ': something else kept it busy' : '';
    return `${busy}, of which this test took ${wholePercent(ownCpu)}${others}`;
  }
  if ((sights.relayCpu ?? 0) >= FULL)
    return `the core of one relay: ${wholePercent(sights.relayCpu ?? 0)} busy ${sights.meanwhile}`;
  const { busiest } = sights;
  if (busiest.clients >= FULL && (busiest.cpu ?? 0) >= FULL) {
    return `the CPU of this machine: ${wholePercent(busiest.cpu ?? 0)} busy in the second in which most was told`;
  }
  if (busiest.clients >= FULL) {
    return `the clients themselves: one process was ${wholePercent(busiest.clients)} busy, so latencies hold its own wait (more --processes)`;
  }
  if (sights.rampTookS > sights.rampS * 1.25 + 2) {
    return `the handshakes: the ramp took ${sights.rampTookS.toFixed(0)} s instead of ${sights.rampS.toFixed(0)} s, with the CPU ${wholePercent(sights.rampCpu ?? 0)} busy`;
  }
  const seen = [
    sights.publishCpu === undefined ? '' : `CPU of this machine ${wholePercent(sights.publishCpu)} busy`,
    sights.relayCpu === undefined ? '' : `busiest relay ${wholePercent(sights.relayCpu)} of a core`,
    `busiest process of clients ${wholePercent(busiest.clients)}`,
  ].filter((text) => text !== '');
  return `none was met: ${seen.join(', ')}`;
}
