import type { MetricsRegistry } from '../../shared/process/metrics-registry.ts';
import type { FromRelayProcess, ToRelayProcess } from './process-message.ts';

/** The part of `process` that ties it to the process which started it. */
export type Parent = Pick<NodeJS.Process, 'send' | 'on' | 'kill' | 'pid'>;

/** Tells the process that started this one how it is, and ends with it. */
export function reportToParent(deps: { parent: Parent; registry: MetricsRegistry }): {
  listening(): void;
  ready(): void;
} {
  const { parent, registry } = deps;
  const send = (message: FromRelayProcess) => void parent.send?.(message);
  parent.on('message', async ({ request }: ToRelayProcess) => {
    send({ type: 'metrics', request, metrics: await registry.getMetricsAsJSON() });
  });
  parent.on('disconnect', () => void parent.kill(parent.pid, 'SIGTERM'));
  return { listening: () => send({ type: 'listening' }), ready: () => send({ type: 'ready' }) };
}
