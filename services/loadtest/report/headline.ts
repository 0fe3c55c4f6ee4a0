import { compact, duration, percent, size, whole } from './format.ts';
import type { Report } from './report.ts';

/** A key figure at the top of the page. */
export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

/** Summarizes the result in one sentence. */
export function headline({ clients, notified, updates, behind, latency, slowLatency }: Report): string {
  const { opened } = clients;
  const all = opened === 1 ? '1 client' : `${whole(opened)} clients`;
  if (opened === 0) return 'No client could connect';
  if (updates.due === 0) return `${all} connected`;
  if (updates.accepted === 0) return 'No update was accepted';
  const late = behind.map(({ clients: count }) => count).findLast((count) => count !== undefined);
  if (late !== undefined && late > 0) return `${whole(late)} of ${all} did not receive the last update`;
  const published = updates.accepted === 1 ? '1 update' : `${whole(updates.accepted)} updates`;
  const sent = `${all}, ${published}`;
  if (!latency) return sent;
  const within = `99 % of deliveries within ${duration(latency.p99)}, all within ${duration(latency.max)}`;
  return `${sent}: ${within}${slowLatency ? ', slow readers apart' : ''}${notified.p100 === undefined ? ' so far' : ''}`;
}

/** Returns the key figures that were measured. */
export function tiles(report: Report): readonly Tile[] {
  const { clients, deliveries, latency, notified, server, clientSide, updates } = report;
  const memory = [
    [server.memoryPerClientBytes, 'relays'],
    [clientSide.kernelPerClientBytes, 'kernel'],
    [clientSide.memoryPerClientBytes, 'clients'],
  ] as const;
  const measured = memory.flatMap(([bytes, name]) => (bytes === undefined ? [] : [{ bytes, name }]));
  const tiles: readonly (Tile | false | undefined)[] = [
    {
      name: 'Clients',
      value: whole(clients.opened),
      note:
        clients.opened === clients.planned
          ? 'all connected'
          : `connected of ${whole(clients.planned)} (${percent(clients.opened / clients.planned)})`,
    },
    { name: 'Handshakes', value: `${short(clients.handshakesPerS)}/s`, note: 'during the ramp' },
    updates.due > 0 && {
      name: 'Deliveries',
      value: `${short(deliveries.perS)}/s`,
      note: `${whole(deliveries.total)} from ${whole(updates.accepted)} ${updates.accepted === 1 ? 'update' : 'updates'}`,
    },
    notified.p100 !== undefined && {
      name: 'Last update',
      value: duration(notified.p100),
      note: 'until every client had it',
    },
    latency && { name: 'Latency, p50', value: duration(latency.p50), note: 'from due time to client' },
    latency && { name: 'Latency, p99', value: duration(latency.p99), note: `maximum ${duration(latency.max)}` },
    server.cpuPerDeliveryUs !== undefined && {
      name: 'Server CPU',
      value: `${server.cpuPerDeliveryUs.toFixed(1)} µs`,
      note: 'of the relays, per delivery',
    },
    measured.length > 0 && {
      name: 'Memory per client',
      value: size(measured.reduce((sum, { bytes }) => sum + bytes, 0)),
      note: measured.map(({ bytes, name }) => `${name} ${size(bytes)}`).join(', '),
    },
  ];
  return tiles.filter((tile) => tile !== false && tile !== undefined);
}

/** Rounds numbers that are too long for a tile. */
function short(value: number): string {
  return value < 100_000 ? whole(value) : compact(value);
}
