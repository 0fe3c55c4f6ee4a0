import { countReasons, type Reasons } from '../measure/figures.ts';
import type { LatencySummary } from '../measure/latency.ts';
import { isShare, type Verdict } from '../options/thresholds.ts';
import { duration, percent, size, whole } from './format.ts';
import type { Report } from './report.ts';

/** A part of the report: what is shown as text and as HTML alike. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

type Row = readonly [name: string, value: string];

/** A row of the table of latencies. */
export interface LatencyRow {
  readonly name: string;
  readonly summary: LatencySummary;
}

/** A row, where there is anything to show. */
function row<T>(name: string, value: T | undefined, show: (value: T) => string): readonly Row[] {
  return value === undefined ? [] : [[name, show(value)]];
}

function reasons(all: Reasons): string {
  const count = countReasons(all);
  const why = Object.entries(all).sort(([, a], [, b]) => b - a);
  if (count === 0) return '0';
  return `${whole(count)} (${why.map(([reason, times]) => `${reason}: ${whole(times)}`).join('; ')})`;
}

/** What a verdict says. */
export function verdictText({ name, most, value, isKept }: Verdict): string {
  const show = isShare(name) ? percent : duration;
  return `${name} is ${value === undefined ? 'unknown' : show(value)}, ${isKept ? 'within' : 'not within'} ${show(most)}`;
}

/** The figures of a report, in words; without those that there are not. */
export function reportSections(report: Report): readonly Section[] {
  const sections = [clients(report), updates(report), deliveries(report), lastUpdate(report), cost(report)];
  return sections.filter(({ rows }) => rows.length > 0);
}

/** All latencies that were measured. */
export function latencyRows(report: Report): readonly LatencyRow[] {
  const all = {
    'from due to told': report.latency,
    'the same, slow readers': report.slowLatency,
    'from due to accepted': report.updates.answers,
    handshakes: report.clients.handshakeLatency,
  };
  return Object.entries(all).flatMap(([name, summary]) => (summary ? [{ name, summary }] : []));
}

function clients({ clients: seen }: Report): Section {
  const failed = seen.died === 0 ? seen.failed : { ...seen.failed, 'their process ended': seen.died };
  return {
    title: 'Clients',
    rows: [
      ['opened', `${whole(seen.opened)} of ${whole(seen.wanted)}`],
      ['failed', reasons(failed)],
      ['lost later', reasons(seen.lost)],
      ...row('failed to come back', countReasons(seen.notBack) === 0 ? undefined : seen.notBack, reasons),
      ['handshakes', `${whole(seen.handshakes)}; ${whole(seen.handshakesPerS)} a second while they came`],
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
      ['calls made again', reasons(seen.repeated)],
    ],
  };
}

function deliveries({ deliveries: seen, updates: { due }, server }: Report): Section {
  if (due === 0) return { title: 'Deliveries', rows: [] };
  return {
    title: 'Deliveries',
    rows: [
      ['in all', whole(seen.total)],
      ['a second', `${whole(seen.perS)}, at most ${whole(seen.peakPerS)}`],
      ['skipped', `${whole(seen.skipped)}, for a newer one of the same topic`],
      ['told again', whole(seen.repeated)],
      ['told when they came back', whole(seen.caughtUp)],
      ...row('conflated by the relays', server.conflated, whole),
      ...row('clients fell behind', server.fellBehind, (times) => `${whole(times)} times`),
    ],
  };
}

function lastUpdate({ told, behind, updates: { accepted } }: Report): Section {
  const title = 'The last update of each topic';
  if (accepted === 0 || behind.every(({ clients: late }) => late === undefined)) return { title, rows: [] };
  const within = (ms: number | undefined) => (ms === undefined ? 'never' : duration(ms));
  return {
    title,
    rows: [
      ['50 % told within', within(told.p50)],
      ['99 % told within', within(told.p99)],
      ['100 % told within', within(told.p100)],
      ...behind.flatMap(({ afterS, clients: late, slow }) =>
        row(
          `not up to date after ${afterS} s`,
          late,
          (count) => `${whole(count)}${slow ? `, and ${whole(slow)} slow readers` : ''}`,
        ),
      ),
    ],
  };
}

function cost({ server, own }: Report): Section {
  const microseconds = (us: number) => `${us.toFixed(2)} µs a delivery`;
  const aClient = (bytes: number) => `${size(bytes)} a client`;
  const inAll = (bytes: number | undefined, each: number | undefined) =>
    [...(each === undefined ? [] : [aClient(each)]), ...(bytes === undefined ? [] : [`${size(bytes)} in all`])].join(
      ', ',
    );
  const relays = inAll(server.residentBytes, server.memoryPerClientBytes);
  return {
    title: 'Cost',
    rows: [
      ...row('CPU of the relays', server.cpuPerDeliveryUs, microseconds),
      ...row('CPU of the clients', own.cpuPerDeliveryUs, microseconds),
      ...row('memory of the relays', relays === '' ? undefined : relays, String),
      ['memory of the clients', inAll(own.residentBytes, own.memoryPerClientBytes)],
      ...row(
        'memory of the kernel',
        own.kernelPerClientBytes,
        (bytes) => `${aClient(bytes)}, for the ends that are here`,
      ),
      ['left on this machine', size(own.availableBytes)],
    ],
  };
}
