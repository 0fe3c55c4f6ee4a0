import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { Driver } from './driver.ts';
import { Instance } from './instance.ts';
import { applyObjects, eventuallyInCluster, HARDENED, IMAGE } from './kubectl.ts';

const SCALE_MS = 400_000;
const NAMESPACE = 'heliograph-test-autoscaler';
const CLIENTS = 40;
const CROWD = 200;
/** 240 clients need three relays, 40 clients one, but two are the least. */
const PER_RELAY = 90;

/** The production overlay's autoscaler, for few clients and without its waits. */
function autoscaler() {
  const file = fileURLToPath(new URL('../../k8s/overlays/production/relay-autoscaler.yaml', import.meta.url));
  const manifest = parse(readFileSync(file, 'utf8'));
  const [connections] = manifest.spec.metrics;
  connections.pods.target.averageValue = String(PER_RELAY);
  manifest.metadata.namespace = NAMESPACE;
  Object.assign(manifest.spec, { minReplicas: 2, metrics: [connections] }); // CPU depends on the machine
  manifest.spec.behavior.scaleDown = {
    stabilizationWindowSeconds: 0,
    policies: [{ type: 'Pods', value: 1, periodSeconds: 15 }],
  };
  return manifest;
}

/** A load test that only holds connections. */
const crowd = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'crowd',
    namespace: NAMESPACE,
    labels: { 'app.kubernetes.io/component': 'load-test', 'heliograph-publisher': 'true' },
  },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    containers: [
      {
        name: 'crowd',
        image: IMAGE,
        args: [
          'loadtest',
          '--relay=http://relay:8080',
          '--webhook=http://webhook:8090/webhook',
          `--clients=${CROWD}`,
          '--ramp=5s',
          '--duration=10m',
          '--max-time=15m',
        ],
        env: [{ name: 'WEBHOOK_TOKEN', value: 'local-only-token' }],
        ...HARDENED,
      },
    ],
  },
};

describe.skipIf(!inject('cluster').customMetrics)('the autoscaler with the Prometheus adapter', () => {
  let instance: Instance;
  let driver: Driver;

  const replicas = async () =>
    Number(await instance.kubectl('get', 'deployment', 'relay', '-o', 'jsonpath={.spec.replicas}'));

  beforeAll(async () => {
    instance = await Instance.start({ namespace: NAMESPACE });
    driver = await Driver.start({ instance, clients: CLIENTS });
    await applyObjects(autoscaler());
  }, SCALE_MS);

  afterAll(async () => {
    await driver?.stop();
    await instance?.remove();
  }, SCALE_MS);

  it(
    'adds relays while there are many clients, removes them afterwards, and leaves no client behind',
    async () => {
      const report = await driver.during(async () => {
        await applyObjects(crowd);
        await eventuallyInCluster(async () => expect(await replicas()).toBe(3), 180_000);
        await instance.rolledOut('relay');
        await instance.kubectl('delete', '--grace-period=0', '--force', 'pod/crowd');
        await eventuallyInCluster(async () => expect(await replicas()).toBe(2), 180_000);
        await eventuallyInCluster(async () => expect(await instance.podsOf('relay')).toHaveLength(2), 120_000);
      });
      expect(report.behind).toEqual([]);
      expect(report.failures).toEqual([]);
    },
    SCALE_MS,
  );
});
