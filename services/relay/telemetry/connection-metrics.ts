import { Counter, Gauge, type Registry } from 'prom-client';
import type { AppError } from '../../shared/errors.ts';
import { TRANSPORT_NAMES, type TransportName } from '../../shared/protocol/transport-name.ts';

/** Values of the label `transport`. */
const TRANSPORT_LABELS: Readonly<Record<TransportName, string>> = {
  websocket: 'websocket',
  sse: 'sse',
  'long-poll': 'longpoll',
  legacy: 'update_check',
};

/** Close codes with a label value of their own; any other is `other`, since clients choose freely. */
const KNOWN_CODES = new Set([1000, 1001, 1005, 1006, 1008, 1009, 1012, 1013, 4401, 4403, 4429, 4503]);

/** Counts connections, and requests and connections that are refused. */
export class ConnectionMetrics {
  readonly #registers: Registry[];
  readonly #open: Gauge;
  readonly #opened: Counter;
  readonly #closed: Counter;
  readonly #stuck: Counter;
  readonly #refusals: Counter;
  readonly #shed: Counter;
  readonly #draining: Gauge;

  constructor(deps: { registry: Registry }) {
    const registers = [deps.registry];
    this.#registers = registers;
    this.#open = new Gauge({
      name: 'relay_connections',
      help: 'Open connections, by transport. Panel "Connections by relay"; alerts HeliographRelaysUneven, HeliographClientsBehind',
      labelNames: ['transport'],
      registers,
    });
    this.#opened = new Counter({
      name: 'relay_connections_opened_total',
      help: 'Connections opened, by transport. Panel "Connections opened and closed"',
      labelNames: ['transport'],
      registers,
    });
    // The shares of relays without a connection count as 0.
    for (const name of TRANSPORT_NAMES) {
      this.#open.set({ transport: TRANSPORT_LABELS[name] }, 0);
      this.#opened.inc({ transport: TRANSPORT_LABELS[name] }, 0);
    }
    this.#closed = new Counter({
      name: 'relay_connections_closed_total',
      help: 'Connections closed, by transport and close code. Panel "Connections opened and closed"',
      labelNames: ['transport', 'code'],
      registers,
    });
    this.#stuck = new Counter({
      name: 'relay_connections_stuck_total',
      help: 'Connections closed because the client read nothing for STUCK_TIMEOUT. Panel "Fell behind, and stuck"',
      registers,
    });
    this.#refusals = new Counter({
      name: 'relay_refusals_total',
      help: 'Refused connections and requests of clients, by error code. Panel "Refused requests"; alerts HeliographRelayFull, HeliographKeysUnavailable',
      labelNames: ['code'],
      registers,
    });
    this.#shed = new Counter({
      name: 'relay_connections_shed_total',
      help: 'Connections closed because this relay held more than its share. Panel "Draining and rebalancing"',
      registers,
    });
    this.#draining = new Gauge({
      name: 'relay_draining',
      help: '1 while this relay is shutting down. Panel "Draining and rebalancing"',
      aggregator: 'max',
      registers,
    });
  }

  /** Adds the gauge of open sockets, which is read at each scrape. */
  observe(server: { readonly sockets: number }): void {
    new Gauge({
      name: 'relay_sockets',
      help: 'Open sockets of the public port, including those without a connection (yet), such as incomplete handshakes. Panel "Connections by transport"',
      registers: this.#registers,
      collect() {
        this.set(server.sockets);
      },
    });
  }

  opened(name: TransportName): void {
    const transport = TRANSPORT_LABELS[name];
    this.#open.inc({ transport });
    this.#opened.inc({ transport });
  }

  closed(name: TransportName, code: number): void {
    const transport = TRANSPORT_LABELS[name];
    this.#open.dec({ transport });
    this.#closed.inc({ transport, code: KNOWN_CODES.has(code) ? String(code) : 'other' });
  }

  stuck(): void {
    this.#stuck.inc();
  }

  refused({ code }: AppError): void {
    this.#refusals.inc({ code });
  }

  shed(count: number): void {
    this.#shed.inc(count);
  }

  draining(): void {
    this.#draining.set(1);
  }
}
