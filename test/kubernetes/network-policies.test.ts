import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteNamespace, Instance } from './instance.ts';
import { applyObjects, eventuallyInCluster, HARDENED, IMAGE, kubectl } from './kubectl.ts';

const SETUP_MS = 300_000;
const NAMESPACE = 'heliograph-test-policies';
const OTHER = 'heliograph-test-other';
/** Answers `open` or `closed` for each address in the arguments, at once. */
const PROBE = `
  const { connect } = require('node:net');
  const probe = (address) => new Promise((resolve) => {
    const [host, port] = address.split(' ');
    const socket = connect({ host, port });
    const end = (result) => (socket.destroy(), resolve(result));
    socket.on('connect', () => end('open')).on('error', () => end('closed')).setTimeout(1500, () => end('closed'));
  });
  Promise.all(process.argv.slice(1).map(probe)).then((results) => console.log(JSON.stringify(results)));
`;

/** Places to connect from: a pod in a namespace, with labels. */
const PLACES = {
  'a pod of the namespace': { namespace: NAMESPACE, labels: {} },
  'a load test': {
    namespace: NAMESPACE,
    labels: { 'app.kubernetes.io/component': 'load-test', 'heliograph-publisher': 'true' },
  },
  'a pod of another namespace': { namespace: OTHER, labels: {} },
  'a publisher of another namespace': { namespace: OTHER, labels: { 'heliograph-publisher': 'true' } },
  Prometheus: { namespace: 'monitoring', labels: {} },
} as const;

/** Targets: the component of a pod, and a port of it. */
const TARGETS = ['relay 8080', 'relay 9101', 'webhook 8090', 'webhook 9102', 'chat 8000', 'chat 9103', 'redis 6379'];
const ALLOWED: Readonly<Record<keyof typeof PLACES, readonly string[]>> = {
  'a pod of the namespace': [],
  'a load test': ['relay 8080', 'webhook 8090'],
  'a pod of another namespace': [],
  'a publisher of another namespace': ['webhook 8090'],
  Prometheus: ['relay 9101', 'webhook 9102', 'chat 9103'],
};
const places = Object.keys(PLACES) as (keyof typeof PLACES)[];
const podName = (place: string) => `probe-${place.toLowerCase().replaceAll(' ', '-')}`;

describe('the network policies', () => {
  const addresses = new Map<string, string>();
  let instance: Instance;

  beforeAll(async () => {
    instance = await Instance.start({ namespace: NAMESPACE });
    for (const target of TARGETS) {
      const [component = '', port = ''] = target.split(' ');
      const selector = `app.kubernetes.io/component=${component}`;
      const query = ['get', 'pods', '-l', selector, '-o', 'jsonpath={.items[0].status.podIP}'];
      addresses.set(target, `${await instance.kubectl(...query)} ${port}`);
    }
    const namespaces = [OTHER, 'monitoring'].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    }));
    const pods = places.map((place) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: podName(place), namespace: PLACES[place].namespace, labels: PLACES[place].labels },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: 'probe', image: IMAGE, command: ['node', '-e', 'setInterval(() => {}, 1e6)'], ...HARDENED },
        ],
      },
    }));
    await applyObjects(...namespaces, ...pods);
    await instance.kubectl('apply', '-f', 'k8s/load-test/network-policy.yaml');
    for (const place of places) {
      const pod = `pod/${podName(place)}`;
      await kubectl(['-n', PLACES[place].namespace, 'wait', '--for=condition=Ready', '--timeout=1m', pod]);
    }
  }, SETUP_MS);

  afterAll(async () => {
    await kubectl(['-n', 'monitoring', 'delete', '--ignore-not-found', '--wait=false', `pod/${podName('Prometheus')}`]);
    await deleteNamespace(OTHER, { wait: false });
    await instance?.remove();
  }, SETUP_MS);

  it.each(places)(
    'let %s reach what it needs, and nothing else',
    async (place) => {
      const exec = ['-n', PLACES[place].namespace, 'exec', podName(place), '--', 'node', '-e', PROBE];
      // The agent that enforces policies takes a moment to learn the address of a new pod.
      await eventuallyInCluster(async () => {
        const results: string[] = JSON.parse(
          await kubectl([...exec, ...TARGETS.map((name) => addresses.get(name) ?? '')]),
        );
        expect(TARGETS.filter((_, i) => results[i] === 'open')).toEqual(ALLOWED[place]);
      }, 20_000);
    },
    60_000,
  );
});
