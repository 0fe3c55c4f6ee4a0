import { readFileSync } from 'node:fs';
import { eventually } from '../support/eventually.ts';
import { HARDENED, IMAGE, kubectl } from './kubectl.ts';

/** The figures of the driver (driver.mjs) since its last reset. */
export interface DriverReport {
  readonly clients: number;
  readonly open: number;
  /** Clients that have the newest acknowledged version. */
  readonly current: number;
  /** Clients that miss an update which was acknowledged more than ten seconds ago. */
  readonly behind: readonly string[];
  readonly calls: number;
  readonly failedCalls: number;
  readonly failures: readonly string[];
  /** From the first failed call to the last, in milliseconds. */
  readonly failedForMs: number;
  /** Connections beyond the first of each client, by kind of client. */
  readonly moves: Readonly<Record<'library' | 'websocket' | 'sse' | 'long-poll', number>>;
  readonly reconnectsPerSecond: number;
  readonly acknowledgedAgoMs: number;
  readonly deliveries: number;
  readonly delayMs: { readonly p50: number; readonly p99: number; readonly worst: number };
}

/** A pod with clients of all transports and a publisher, in the namespace of the cluster that it tests. */
export class Driver {
  readonly #namespace: string;

  private constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** Starts the pod, on `node` if one is given, and waits until all of its clients are connected and current. */
  static async start(options: { namespace: string; clients: number; node?: string }): Promise<Driver> {
    const { namespace, clients, node } = options;
    const script = readFileSync(new URL('driver.mjs', import.meta.url), 'utf8');
    const objects = [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'driver' }, data: { 'driver.mjs': script } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: 'driver',
          labels: { 'app.kubernetes.io/component': 'load-test', 'heliograph-publisher': 'true' },
        },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          ...(node && { nodeName: node }),
          containers: [
            {
              name: 'driver',
              image: IMAGE,
              command: ['node', '/driver/driver.mjs'],
              env: [
                { name: 'WEBHOOK_TOKEN', valueFrom: { secretKeyRef: { name: 'driver', key: 'WEBHOOK_TOKEN' } } },
                { name: 'CLIENTS', value: String(clients) },
              ],
              volumeMounts: [{ name: 'driver', mountPath: '/driver' }],
              ...HARDENED,
            },
          ],
          volumes: [{ name: 'driver', configMap: { name: 'driver' } }],
        },
      },
    ];
    const token = await publisherToken(namespace);
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'driver' },
      stringData: { WEBHOOK_TOKEN: token },
    };
    const list = { apiVersion: 'v1', kind: 'List', items: [secret, ...objects] };
    await kubectl(['-n', namespace, 'apply', '-f', '-'], JSON.stringify(list));
    await kubectl(['-n', namespace, 'apply', '-f', 'k8s/load-test/network-policy.yaml']);
    await kubectl(['-n', namespace, 'wait', '--for=condition=Ready', '--timeout=2m', 'pod/driver']);
    const driver = new Driver(namespace);
    await driver.untilCurrent(clients);
    return driver;
  }

  report(): Promise<DriverReport> {
    return this.#get('/report');
  }

  async reset(): Promise<void> {
    await this.#get('/reset');
  }

  /** Waits until at least `clients` clients are connected and have the newest version, and none is behind. */
  untilCurrent(clients: number): Promise<DriverReport> {
    return eventually(async () => {
      const report = await this.report();
      const missing = {
        open: clients - report.open,
        behind: report.behind,
        acknowledgedAgoMs: report.acknowledgedAgoMs,
      };
      // An update may be under way at the moment of the report, and a call has to be acknowledged after the event.
      const { open, behind, acknowledgedAgoMs } = missing;
      if (open > 0 || behind.length > 0 || report.current < 0.9 * clients || acknowledgedAgoMs > 1000) {
        throw new Error(`clients are not current: ${JSON.stringify({ ...missing, current: report.current })}`);
      }
      return report;
    }, 120_000);
  }

  async stop(): Promise<void> {
    await kubectl(['-n', this.#namespace, 'delete', '--ignore-not-found', '--grace-period=0', '--force', 'pod/driver']);
  }

  async #get(path: string): Promise<DriverReport> {
    const script = `fetch('http://localhost:9999${path}').then((r) => r.text()).then(console.log)`;
    return JSON.parse(await kubectl(['-n', this.#namespace, 'exec', 'driver', '--', 'node', '-e', script]));
  }
}

/** Returns the token that the chat publishes with. */
async function publisherToken(namespace: string): Promise<string> {
  const names = await kubectl(['-n', namespace, 'get', 'secrets', '-o', 'name']);
  const chat = names.split('\n').find((name) => /^secret\/chat(-[a-z0-9]+)?$/.test(name)) ?? '';
  const encoded = await kubectl(['-n', namespace, 'get', chat, '-o', 'jsonpath={.data.WEBHOOK_TOKEN}']);
  return Buffer.from(encoded, 'base64').toString();
}
