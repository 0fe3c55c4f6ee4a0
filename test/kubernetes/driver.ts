import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Instance } from './instance.ts';
import { applyObjects, eventuallyInCluster, HARDENED, IMAGE } from './kubectl.ts';

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
  readonly #instance: Instance;
  readonly #clients: number;

  private constructor(instance: Instance, clients: number) {
    this.#instance = instance;
    this.#clients = clients;
  }

  /** Starts the pod, and waits until all of its clients are connected and current. The library is the one of the image. */
  static async start(options: { instance: Instance; clients: number; image?: string }): Promise<Driver> {
    const { instance, clients, image = IMAGE } = options;
    const { namespace } = instance;
    const script = readFileSync(new URL('driver.mjs', import.meta.url), 'utf8');
    const objects = [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'driver', namespace }, data: { 'driver.mjs': script } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: 'driver',
          namespace,
          labels: { 'app.kubernetes.io/component': 'load-test', 'heliograph-publisher': 'true' },
        },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          containers: [
            {
              name: 'driver',
              image,
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
    const token = await publisherToken(instance);
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'driver', namespace },
      stringData: { WEBHOOK_TOKEN: token },
    };
    await applyObjects(secret, ...objects);
    await instance.kubectl('apply', '-f', 'k8s/load-test/network-policy.yaml');
    await instance.kubectl('wait', '--for=condition=Ready', '--timeout=2m', 'pod/driver');
    const driver = new Driver(instance, clients);
    await driver.untilCurrent();
    return driver;
  }

  report(): Promise<DriverReport> {
    return this.#get('/report');
  }

  async reset(): Promise<void> {
    await this.#get('/reset');
  }

  /** Runs an event, and waits until all clients are current again. Returns the figures of the time between. */
  async during(event: () => Promise<unknown>): Promise<DriverReport> {
    await this.reset();
    await event();
    return this.untilCurrent();
  }

  /** Waits until all clients are connected, none is behind, and nearly all have the newest version. */
  untilCurrent(): Promise<DriverReport> {
    const clients = this.#clients;
    return eventuallyInCluster(async () => {
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
    await this.#instance.kubectl('delete', '--ignore-not-found', '--grace-period=0', '--force', 'pod/driver');
  }

  async #get(path: string): Promise<DriverReport> {
    const script = `fetch('http://localhost:9999${path}').then((r) => r.text()).then(console.log)`;
    return JSON.parse(await this.#instance.kubectl('exec', 'driver', '--', 'node', '-e', script));
  }
}

/**
 * Asserts that a rollout of `relays` relays behind a balancer that picks at random moved clients of the library at most 1.5
 * times each, and others at most a quarter more often than such a balancer makes unavoidable.
 */
export function expectFewMoves(report: DriverReport, relays: number): void {
  const { library, websocket, sse } = movesPerClient(report);
  const unavoidable = (1 + 1 / relays) ** relays - 1;
  expect(library).toBeLessThanOrEqual(1.5);
  expect((websocket + sse) / 2).toBeLessThanOrEqual(1.25 * unavoidable);
}

/** Returns the moves of each kind of client, which are a quarter of the clients each. */
export function movesPerClient({ moves, clients }: DriverReport): DriverReport['moves'] {
  const perClient = (count: number) => (4 * count) / clients;
  return {
    library: perClient(moves.library),
    websocket: perClient(moves.websocket),
    sse: perClient(moves.sse),
    'long-poll': perClient(moves['long-poll']),
  };
}

/** Returns the token that the chat publishes with. */
async function publisherToken(instance: Instance): Promise<string> {
  const names = await instance.kubectl('get', 'secrets', '-o', 'name');
  const chat = names.split('\n').find((name) => /^secret\/chat(-[a-z0-9]+)?$/.test(name)) ?? '';
  const encoded = await instance.kubectl('get', chat, '-o', 'jsonpath={.data.WEBHOOK_TOKEN}');
  return Buffer.from(encoded, 'base64').toString();
}
