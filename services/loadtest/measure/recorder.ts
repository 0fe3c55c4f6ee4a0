import type { Point } from '../report/report.ts';
import type { Figures } from './figures.ts';
import { Latency } from './latency.ts';

/** The busiest second: event loop utilization of a client process and CPU of the machine, each from 0 to 1. */
export interface Busiest {
  readonly clients: number;
  readonly cpu: number | undefined;
}

/** Collects the figures of all client processes, in total and per second. */
export class Recorder {
  readonly latency = new Latency();
  readonly slowLatency = new Latency();
  readonly handshakeLatency = new Latency();
  readonly series: Point[] = [];
  #second = new Latency();
  #handshakes = 0;
  #deliveries = 0;
  #utilization = 0;
  #busiest: Busiest = { clients: 0, cpu: undefined };

  /** Adds a report; its latencies are those since the previous report. */
  add(figures: Figures): void {
    this.#second.add(figures.latency);
    this.slowLatency.add(figures.slowLatency);
    this.handshakeLatency.add(figures.handshakeLatency);
    this.#utilization = Math.max(this.#utilization, figures.utilization);
  }

  /** Completes a second. `all` are the latest figures of each process. */
  tick(all: readonly Figures[], at: { atS: number; cpu: number | undefined }): Point {
    const sum = (pick: (figures: Figures) => number) => all.reduce((total, figures) => total + pick(figures), 0);
    const handshakes = sum((figures) => figures.handshakes);
    const deliveries = sum((figures) => figures.deliveries);
    const second = this.#second.summary();
    const point: Point = {
      ...at,
      open: sum((figures) => figures.open),
      handshakes: handshakes - this.#handshakes,
      deliveries: deliveries - this.#deliveries,
      p50: second?.p50,
      p99: second?.p99,
      max: second?.max,
    };
    if (this.#utilization > this.#busiest.clients) this.#busiest = { clients: this.#utilization, cpu: at.cpu };
    this.#utilization = 0;
    this.flush();
    this.#handshakes = handshakes;
    this.#deliveries = deliveries;
    this.series.push(point);
    return point;
  }

  /** Merges the latencies since the last completed second into the total. */
  flush(): void {
    this.latency.merge(this.#second);
    this.#second = new Latency();
  }

  /** Returns and resets the busiest second. */
  takeBusiest(): Busiest {
    const busiest = this.#busiest;
    this.#busiest = { clients: 0, cpu: undefined };
    return busiest;
  }
}
