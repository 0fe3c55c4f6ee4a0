import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What a process holds after a garbage collection; memory in bytes. */
export interface Resources {
  readonly rss: number;
  /** The JavaScript heap, and the memory of buffers. */
  readonly heap: number;
  readonly files: number;
}

/** Starts a service that can report its resources. */
export function startSoaked(role: 'relay' | 'webhook', env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const main = join(file('../../dist'), role, 'main.js');
  return startService(role, env, { program: ['--expose-gc', '--import', file('report-resources.mjs'), main] });
}

/** Collects garbage in a service of `startSoaked`, and returns what it holds. Linux only. */
export async function readResources(service: ServiceProcess): Promise<Resources> {
  // The log may have lost earlier reports.
  const last = () => {
    const line =
      service
        .log()
        .match(/^\{"soak":.*$/gm)
        ?.at(-1) ?? '{"soak":{"report":0}}';
    return (JSON.parse(line) as { soak: Resources & { report: number } }).soak;
  };
  const { report } = last();
  service.kill('SIGUSR2');
  return eventually(() => {
    const resources = last();
    if (resources.report === report) throw new Error('the service has not reported its resources');
    return resources;
  }, 30_000);
}
