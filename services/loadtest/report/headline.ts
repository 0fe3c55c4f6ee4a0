import { compact, duration, percent, size, whole } from './format.ts';
import type { Report } from './report.ts';

/** A figure that one sees first. */
export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly more: string;
}

/** What the test has found, in a sentence. */
export function headline({ clients, told, updates, behind, latency }: Report): string {
  const { opened } = clients;
  const who = opened === 1 ? '1 client' : `${whole(opened)} clients`;
  if (opened === 0) return 'No client could connect';
  if (updates.due === 0) return `${who} connected`;
  if (updates.accepted === 0) return 'No update was accepted';
  if (told.p100 !== undefined) return `${who}, all told within ${duration(told.p100)}`;
  const late = behind.map(({ clients: count }) => count).findLast((count) => count !== undefined);
  if (late !== undefined && late > 0) return `${whole(late)} of ${who} were not told`;
  return latency ? `${who}, told within ${duration(latency.max)} so far` : `${who} connected`;
}

/** The most important figures, as far as they are there. */
export function tiles(report: Report): readonly Tile[] {
  const { clients, deliveries, latency, server, own, updates } = report;
  const memory = [
    [server.memoryPerClientBytes, 'relays'],
    [own.kernelPerClientBytes, 'kernel'],
    [own.memoryPerClientBytes, 'clients'],
  ] as const;
  const weighed = memory.flatMap(([bytes, name]) => (bytes === undefined ? [] : [{ bytes, name }]));
  const all: readonly (Tile | false | undefined)[] = [
    {
      name: 'Clients',
      value: whole(clients.opened),
      more:
        clients.opened === clients.wanted
          ? 'all that were wanted'
          : `of ${whole(clients.wanted)}: ${percent(clients.opened / clients.wanted)}`,
    },
    { name: 'Handshakes', value: `${short(clients.handshakesPerS)}/s`, more: 'while the clients came' },
    updates.due > 0 && {
      name: 'Deliveries',
      value: `${short(deliveries.perS)}/s`,
      more: `${whole(deliveries.total)} of ${whole(updates.accepted)} ${updates.accepted === 1 ? 'update' : 'updates'}`,
    },
    latency && { name: 'Latency, p50', value: duration(latency.p50), more: 'from due to told' },
    latency && { name: 'Latency, p99', value: duration(latency.p99), more: `at most ${duration(latency.max)}` },
    server.cpuPerDeliveryUs !== undefined && {
      name: 'Server CPU',
      value: `${server.cpuPerDeliveryUs.toFixed(1)} µs`,
      more: 'of the relays, for each delivery',
    },
    weighed.length > 0 && {
      name: 'Memory/client',
      value: size(weighed.reduce((sum, { bytes }) => sum + bytes, 0)),
      more: weighed.map(({ bytes, name }) => `${name} ${size(bytes)}`).join(', '),
    },
  ];
  return all.filter((tile) => tile !== false && tile !== undefined);
}

/** Numbers that are too long for a tile are rounded. */
function short(value: number): string {
  return value < 100_000 ? whole(value) : compact(value);
}
