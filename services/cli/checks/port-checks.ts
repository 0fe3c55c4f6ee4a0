import { probePort } from '../../shared/process/check-ports.ts';
import { listenError } from '../../shared/start-error.ts';
import type { Check } from './check.ts';
import type { ServiceSettings } from './settings-check.ts';

const LIVEZ_TIMEOUT_MS = 1000;

/** Checks that a service could listen on its ports. A port in use is in order if the service is running. */
export async function checkPortsOf({ own, ports }: ServiceSettings): Promise<readonly Check[]> {
  const isRunning = await isAlive(own.adminPort);
  return Promise.all(
    ports.map(async (address): Promise<Check> => {
      const { port, setting } = address;
      const name = 'port';
      const error = await probePort(address);
      if (!error) return { status: 'ok', name, text: `${setting}_PORT ${port} is free` };
      if (isRunning && error.code === 'EADDRINUSE') {
        return { status: 'ok', name, text: `${setting}_PORT ${port} is in use, and the admin port responds` };
      }
      return { status: 'fail', name, text: listenError(error, address).message };
    }),
  );
}

/** Whether a service responds at this admin port of this machine. */
async function isAlive(adminPort: number): Promise<boolean> {
  try {
    const url = `http://localhost:${adminPort}/livez`;
    const response = await fetch(url, { signal: AbortSignal.timeout(LIVEZ_TIMEOUT_MS) });
    return ((await response.json()) as { alive?: boolean }).alive === true;
  } catch {
    return false;
  }
}
