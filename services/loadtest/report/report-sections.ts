import { countReasons, type Reasons } from '../measure/figures.ts';
import type { LatencySummary } from '../measure/latency.ts';
import { isShare, type ThresholdResult } from '../options/thresholds.ts';
import { duration, percent, size, whole } from './format.ts';
import type { Report } from './report.ts';

/** A section of the report, shared by the text and the page. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

type Row = readonly [name: string, value: string];

/** A row of the latency table. */
export interface LatencyRow {
  readonly name: string;
  readonly summary: LatencySummary;
}

/** Returns a row, or none if the value was not measured. */
function row<T>(name: string, value: T | undefined, show: (value: T) => string): readonly Row[] {
  return value === undefined ? [] : [[name, show(value)]];
}

function reasons(all: Reasons): string {
  const count = countReasons(all);
  const sorted = Object.entries(all).sort(([, a], [, b]) => b - a);
  if (count === 0) return '0';
  return `${whole(count)} (${sorted.map(([reason, times]) => `${reason}: ${whole(times)}`).join('; ')})`;
}

/** Explains a report of a test that did not complete. */
export function earlyEndText(ended: Exclude<Report['ended'], 'completed'>): string {
  const reason = ended === 'interrupted' ? 'was interrupted' : 'reached its maximum time';
  return `The test ${reason}; the results cover the time until then.`;
}

/** Describes the result of a threshold. */
export function thresholdText({ name, limit, value }: ThresholdResult): string {
  const show = isShare(name) ? percent : duration;
  return `${name}: ${value === undefined ? 'not measured' : show(value)} (limit ${show(limit)})`;
}

/** Tells whether the thresholds are met, in one sentence. */
export function verdict({ thresholds }: Report): string {
  const exceeded = thresholds.filter(({ passed }) => !passed).length;
  if (exceeded === 0) return 'All thresholds met';
  return `${whole(exceeded)} of ${whole(thresholds.length)} thresholds exceeded`;
}

/** Returns the sections of a report, without those that have no values. */
export function reportSections(report: Report): readonly Section[] {
  const sections = [
    clients(report),
    updates(report),
    deliveries(report),
    current(report),
    lastUpdate(report),
    cost(report),
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

/** Returns the measured latencies. */
export function latencyRows(report: Report): readonly LatencyRow[] {
  const all = {
    'update, due → received': report.latency,
    'update, slow readers': report.slowLatency,
    'publish, due → accepted': report.updates.responseLatency,
    handshake: report.clients.handshakeLatency,
  };
  return Object.entries(all).flatMap(([name, summary]) => (summary ? [{ name, summary }] : []));
}

function clients({ clients: seen }: Report): Section {
  const failed =
    seen.processExited === 0 ? seen.failed : { ...seen.failed, 'client process exited': seen.processExited };
  return {
    title: 'Clients',
    rows: [
      ['connected', `${whole(seen.opened)} of ${whole(seen.planned)}`],
      ['failed to connect', reasons(failed)],
      ['connections lost', reasons(seen.lost)],
      ...row(
        'failed to reconnect',
        countReasons(seen.reconnectFailed) === 0 ? undefined : seen.reconnectFailed,
        reasons,
      ),
      ...row('redirected by full relays', seen.redirected === 0 ? undefined : seen.redirected, whole),
      ['handshakes', `${whole(seen.handshakes)}; ${whole(seen.handshakesPerS)} per second during the ramp`],
    ],
  };
}

function updates({ updates: seen }: Report): Section {
  if (seen.due === 0) return { title: 'Updates', rows: [] };
  return {
    title: 'Updates',
    rows: [
      ['accepted', `${whole(seen.accepted)} of ${whole(seen.due)}`],
      ['not accepted', reasons(seen.failed)],
      ['retried calls', reasons(seen.retried)],
    ],
  };
}

function deliveries({ deliveries: seen, updates: { due }, server }: Report): Section {
  if (due === 0) return { title: 'Deliveries', rows: [] };
  return {
    title: 'Deliveries',
    rows: [
      ['total', whole(seen.total)],
      ['per second', `${whole(seen.perS)}, peak ${whole(seen.peakPerS)}`],
      ['skipped', `${whole(seen.skipped)}, replaced by a newer update of the topic`],
      ['duplicates', whole(seen.duplicates)],
      ['caught up on connecting', whole(seen.caughtUp)],
      ...row('conflated by the relays', server.conflated, whole),
      ...row('clients fell behind', server.fellBehind, (times) => `${whole(times)} times`),
    ],
  };
}

function current({ current: all }: Report): Section {
  return {
    title: 'Subscribers current, from the version of an update',
    rows: all.map(({ share, never, meanMs, p99, max, perRelayMeanMs, relaysMeanMs }) => [
      `${percent(share)} of them`,
      [
        `mean ${duration(meanMs)}`,
        ...(relaysMeanMs === undefined
          ? []
          : [`of each relay ${duration(perRelayMeanMs)}, by its own metrics ${duration(relaysMeanMs)}`]),
        `p99 ${duration(p99)}, maximum ${duration(max)}`,
        ...(never === 0 ? [] : [`never for ${whole(never)} updates`]),
      ].join('; '),
    ]),
  };
}

function lastUpdate({ notified, behind, updates: { accepted } }: Report): Section {
  const title = 'Last update of each topic';
  if (accepted === 0 || behind.every(({ clients: late }) => late === undefined)) return { title, rows: [] };
  const within = (ms: number | undefined) => (ms === undefined ? 'never' : duration(ms));
  return {
    title,
    rows: [
      ['50 % notified within', within(notified.p50)],
      ['99 % notified within', within(notified.p99)],
      ['100 % notified within', within(notified.p100)],
      ...behind.flatMap(({ afterS, clients: late, slow }) =>
        row(
          `behind after ${afterS} s`,
          late,
          (count) => `${whole(count)}${slow ? `, plus ${whole(slow)} slow readers` : ''}`,
        ),
      ),
    ],
  };
}

function cost({ server, clientSide }: Report): Section {
  const microseconds = (us: number) => `${us.toFixed(2)} µs per delivery`;
  const eachText = (bytes: number) => `${size(bytes)} per client`;
  const memoryText = (bytes: number | undefined, each: number | undefined) =>
    [...(each === undefined ? [] : [eachText(each)]), ...(bytes === undefined ? [] : [`${size(bytes)} in total`])].join(
      ', ',
    );
  const relays = memoryText(server.residentBytes, server.memoryPerClientBytes);
  return {
    title: 'Cost',
    rows: [
      ...row('CPU of the relays', server.cpuPerDeliveryUs, microseconds),
      ...row('CPU of the clients', clientSide.cpuPerDeliveryUs, microseconds),
      ...row('memory of the relays', relays === '' ? undefined : relays, String),
      ['memory of the clients', memoryText(clientSide.residentBytes, clientSide.memoryPerClientBytes)],
      ...row(
        'memory of the kernel',
        clientSide.kernelPerClientBytes,
        (bytes) => `${eachText(bytes)}, connection ends on this machine`,
      ),
      ['free on this machine', size(clientSide.availableBytes)],
    ],
  };
}
