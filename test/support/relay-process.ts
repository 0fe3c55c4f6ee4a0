import { fileURLToPath } from 'node:url';
import type { Sabotage } from '../simulator/sabotage.ts';
import { type ServiceProcess, startService } from './service-process.ts';

const [loader, sabotaged] = ['typescript-loader.mjs', 'sabotaged-relay.ts'].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
) as [string, string];

/** Starts a relay as built, or one from which a part of what keeps the promise is taken out. */
export function startRelayProcess(env: Readonly<Record<string, string>>, sabotage?: Sabotage): Promise<ServiceProcess> {
  if (sabotage === undefined) return startService('relay', env);
  // Clients stay where they are, or one that is sent away would be told when it comes back.
  return startService(
    'relay',
    { ...env, REBALANCE: '0', SABOTAGE: sabotage },
    { program: ['--import', loader, sabotaged] },
  );
}
