import { Gauge, type Registry } from 'prom-client';

/** Shows the cluster as this relay sees it. */
export class ClusterMetrics {
  readonly #relays: Gauge;
  readonly #connections: Gauge;

  constructor(deps: { registry: Registry }) {
    const registers = [deps.registry];
    this.#relays = new Gauge({
      name: 'relay_cluster_relays',
      help: 'Relays of the cluster, as this one sees it. Panel "Relays seen by each relay"',
      aggregator: 'max',
      registers,
    });
    this.#connections = new Gauge({
      name: 'relay_cluster_connections',
      help: 'Connections of all relays of the cluster, as this one sees it. Panel "Connections seen by each relay"',
      aggregator: 'max',
      registers,
    });
  }

  membership(relays: number, connections: number): void {
    this.#relays.set(relays);
    this.#connections.set(connections);
  }
}
