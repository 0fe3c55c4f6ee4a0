import { fileURLToPath } from 'node:url';
import type { Sabotage } from '../simulator/sabotage.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { type ServiceProcess, startService } from './service-process.ts';

const [loader, sabotaged] = ['typescript-loader.mjs', 'sabotaged-relay.ts'].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
) as [string, string];

/**
 * Starts a built relay, or one without a part of the promise.
 * @param options.space a network namespace to run in
 */
export function startRelayProcess(
  env: Readonly<Record<string, string>>,
  sabotage?: Sabotage,
  options: { space?: NetworkNamespace | undefined } = {},
): Promise<ServiceProcess> {
  if (sabotage === undefined) return startService('relay', env, options);
  // No rebalancing: a client that reconnects would receive what the sabotage withheld.
  return startService(
    'relay',
    { ...env, REBALANCE: '0', SABOTAGE: sabotage },
    { ...options, program: ['--import', loader, sabotaged] },
  );
}
