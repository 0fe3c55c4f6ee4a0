import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const REASONS = ['publish', 'delivery'] as const;

/** Observes the probes of a canary. */
export interface CanaryMetrics {
  /** An update was received, this many seconds after its call of the webhook began. */
  received(ageS: number): void;
  failed(reason: (typeof REASONS)[number]): void;
}

/** Creates the metrics of a canary. */
export function createCanaryMetrics({ registry }: { registry: Registry }): CanaryMetrics {
  const registers = [registry];
  const age = new Histogram({
    name: 'canary_age_seconds',
    help: 'Time from the call of the webhook until the canary received the update. Panel "Age seen by the canary"',
    buckets: BUCKETS_S,
    registers,
  });
  const failures = new Counter({
    name: 'canary_failures_total',
    help: 'Probes without an age, by reason: publish or delivery. Panel "Failures of the canary"',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of REASONS) failures.inc({ reason }, 0);
  const lastSuccess = new Gauge({
    name: 'canary_last_success_timestamp_seconds',
    help: 'When the canary received an update last, in seconds since 1970; 0 before the first one. Panel "Last success of the canary"',
    registers,
  });
  return {
    received(ageS) {
      age.observe(ageS);
      lastSuccess.setToCurrentTime();
    },
    failed: (reason) => failures.inc({ reason }),
  };
}
