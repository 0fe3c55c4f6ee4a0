import { countReasons, type Reasons } from '../measure/figures.ts';
import type { LatencySummary } from '../measure/latency.ts';
import { isShare, type Verdict } from '../options/thresholds.ts';
import { duration, percent, size, whole } from './format.ts';
import type { Report } from './report.ts';

/** A part of the report: what is shown as text and as HTML alike. */
export interface Section {
  readonly title: string;
  readonly rows: readonly (readonly [name: string, value: string])[];
}

function reasons(all: Reasons): string {
  const count = countReasons(all);
  const why = Object.entries(all).sort(([, a], [, b]) => b - a);
  if (count === 0) return '0';
  return `${whole(count)} (${why.map(([reason, times]) => `${reason}: ${whole(times)}`).join('; ')})`;
}

function latency(summary: LatencySummary | undefined): string {
  if (!summary) return '-';
  const { p50, p90, p99, 'p99.9': p999, max } = summary;
  return `p50 ${duration(p50)}, p90 ${duration(p90)}, p99 ${duration(p99)}, p99.9 ${duration(p999)}, max ${duration(max)}`;
}

/** What a verdict says. */
export function verdictText({ name, most, value, isKept }: Verdict): string {
  const show = (figure: number | undefined) => (isShare(name) ? percent(figure) : duration(figure));
  return `${name} is ${value === undefined ? 'unknown' : show(value)}, ${isKept ? 'within' : 'NOT within'} ${show(most)}`;
}

/** The figures of a report, in words. */
export function reportSections(report: Report): readonly Section[] {
  const { clients, updates, deliveries, told, server, own } = report;
  const failed = clients.died === 0 ? clients.failed : { ...clients.failed, 'their process ended': clients.died };
  const behind = report.behind.map(({ afterS, clients: late, slow }) => {
    const text =
      late === undefined ? 'not looked at' : `${whole(late)}${slow ? `, and ${whole(slow)} slow readers` : ''}`;
    return [`not up to date after ${afterS} s`, text] as const;
  });
  const sections: Section[] = [
    {
      title: 'Clients',
      rows: [
        ['opened', `${whole(clients.opened)} of ${whole(clients.wanted)}`],
        ['failed', reasons(failed)],
        ['lost later', reasons(clients.lost)],
        ['handshakes', `${whole(clients.handshakesPerS)} a second over the ramp; ${latency(clients.handshakeLatency)}`],
      ],
    },
    {
      title: 'Updates',
      rows: [
        ['published', `${whole(updates.accepted)} of ${whole(updates.due)}`],
        ['not accepted', reasons(updates.failed)],
        ['calls made again', reasons(updates.repeated)],
        ['until answered', latency(updates.answers)],
      ],
    },
    {
      title: 'Deliveries (latency from when an update was due)',
      rows: [
        [
          'in all',
          `${whole(deliveries.total)}; ${whole(deliveries.perS)} a second, at most ${whole(deliveries.peakPerS)}`,
        ],
        ['latency', latency(report.latency)],
        ...(report.slowLatency ? ([['of slow readers', latency(report.slowLatency)]] as const) : []),
        ['conflated', `${whole(deliveries.skipped)} skipped for a newer one`],
        ['told again', `${whole(deliveries.repeated)}; when they came back: ${whole(deliveries.caughtUp)}`],
      ],
    },
    {
      title: 'The last update of each topic',
      rows: [
        ['50 % told within', duration(told.p50, 'never')],
        ['99 % told within', duration(told.p99, 'never')],
        ['100 % told within', duration(told.p100, 'never')],
        ...behind,
      ],
    },
    {
      title: 'Cost',
      rows: [
        [
          'server CPU',
          server.cpuPerDeliveryUs === undefined ? '-' : `${server.cpuPerDeliveryUs.toFixed(2)} µs a delivery`,
        ],
        ['server memory', `${size(server.memoryPerClientBytes)} a client; ${size(server.residentBytes)} in all`],
        ['clients memory', `${size(own.memoryPerClientBytes)} a client; ${size(own.residentBytes)} in all`],
        ['kernel memory', `${size(own.kernelPerClientBytes)} a client, for the ends that are here`],
        ['this machine', `${size(own.machinePerClientBytes)} a client in all; ${size(own.availableBytes)} left`],
        [
          'relays',
          `${server.conflated ?? '-'} updates conflated; clients fell behind ${server.fellBehind ?? '-'} times`,
        ],
      ],
    },
  ];
  return sections;
}
