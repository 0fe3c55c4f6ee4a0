import type { MetricJson, MetricsRegistry } from '../../shared/process/metrics-registry.ts';

/** A message from the supervisor to a relay worker. */
export type WorkerRequest =
  | { readonly type: 'metrics'; readonly request: number }
  | { readonly type: 'prepareStop'; readonly waitMs: number };

/** A message from a relay worker to the supervisor. */
export type WorkerMessage =
  | { readonly type: 'listening' }
  | { readonly type: 'ready' }
  | { readonly type: 'metrics'; readonly request: number; readonly metrics: readonly MetricJson[] };

/** The part of `process` that communicates with the parent process. */
export type ParentProcess = Pick<NodeJS.Process, 'send' | 'on' | 'kill' | 'pid'>;

/**
 * Connects a relay worker to its supervisor: answers metrics requests, and stops this process when the supervisor is gone.
 * @param deps.prepareStop called when the supervisor will stop this process after `waitMs`
 */
export function connectToSupervisor(deps: {
  parent: ParentProcess;
  registry: MetricsRegistry;
  prepareStop: (waitMs: number) => void;
}): {
  listening(): void;
  ready(): void;
} {
  const { parent, registry, prepareStop } = deps;
  const send = (message: WorkerMessage) => void parent.send?.(message);
  parent.on('message', async (message: WorkerRequest) => {
    if (message.type === 'prepareStop') prepareStop(message.waitMs);
    else send({ type: 'metrics', request: message.request, metrics: await registry.getMetricsAsJSON() });
  });
  parent.on('disconnect', () => void parent.kill(parent.pid, 'SIGTERM'));
  return { listening: () => send({ type: 'listening' }), ready: () => send({ type: 'ready' }) };
}
