import type { MetricJson } from '../../shared/process/metrics-registry.ts';

/** What a relay process is asked by the one that started it. */
export type ToRelayProcess = { readonly type: 'metrics'; readonly request: number };

/** What a relay process tells the one that started it. */
export type FromRelayProcess =
  | { readonly type: 'listening' }
  | { readonly type: 'ready' }
  | { readonly type: 'metrics'; readonly request: number; readonly metrics: readonly MetricJson[] };
