import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readmeExample } from '../support/readme-example.ts';
import { deleteNamespace, Instance, writeKustomization } from './instance.ts';
import { applyObjects, eventuallyInCluster, HARDENED, IMAGE, kubectl } from './kubectl.ts';
import { Shell } from './shell.ts';

const SETUP_MS = 400_000;
const NAMESPACE = 'heliograph-test-production';
/** Has the Redis, which production has elsewhere, and the clients: no policy of the instance applies here. */
const OUTSIDE = 'heliograph-test-outside';
const PASSWORD = 'password-of-redis';
const VOLUME = 'heliograph-test-chat';
const VOLUME_PARENT = '/var/tmp';
/** More than Traefik's limits, one minute for reading a request and three for an idle connection, and than those of relays. */
const SILENT_MS = 190_000;
const REMOVE = 'fs.rmSync(folder, { recursive: true, force: true })';
const PUSH_HOST = 'push.example.org'; // as overlays/production has it
const GATEWAY_HOST = 'gateway.example.org';

const patchOf = (target: object, ...operations: readonly object[]) => ({ target, patch: JSON.stringify(operations) });

/** An operator's image and Ingress controller; the Gateway API beside it, under other hosts, at the port that Traefik has here. */
const CHANGES = {
  images: [{ name: 'registry.example.org/heliograph', newName: 'heliograph' }],
  components: ['k8s/components/gateway'],
  patches: [
    patchOf({ kind: 'Ingress' }, { op: 'replace', path: '/spec/ingressClassName', value: 'traefik' }),
    patchOf(
      { kind: 'NetworkPolicy', name: 'from-ingress' },
      {
        op: 'replace',
        path: '/spec/ingress/0/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name',
        value: 'traefik',
      },
    ),
    patchOf(
      { kind: 'Gateway' },
      { op: 'replace', path: '/spec/listeners', value: [{ name: 'http', port: 8000, protocol: 'HTTP' }] },
    ),
    patchOf({ kind: 'HTTPRoute', name: 'push' }, { op: 'replace', path: '/spec/hostnames', value: [GATEWAY_HOST] }),
    // CPU depends on the machine.
    patchOf({ kind: 'HorizontalPodAutoscaler' }, { op: 'remove', path: '/spec/metrics/1' }),
  ],
};

/** Clients that are connected for the first time still, after `updates` updates. */
const connected = (updates: number) => ({
  websocket: { closedAfterMs: null, updates, statuses: [] },
  sse: { closedAfterMs: null, updates, statuses: [] },
  'long-poll': {
    closedAfterMs: null,
    updates,
    statuses: [200, 304],
    held: expect.toSatisfy((held: number) => held > 3),
    failures: expect.any(Array),
  },
});

describe.skipIf(!inject('cluster').traefik)('the production overlay behind Traefik', () => {
  let instance: Instance;
  let traefik = '';
  let node = '';

  const outside = (...args: string[]) => kubectl(['-n', OUTSIDE, ...args]);

  /** Starts the clients of proxy-clients.mjs, which find the host at Traefik. */
  async function startClients(name: string, mode: string, host: string): Promise<void> {
    const settings = { RELAY_URL: `http://${host}`, SILENT_MS: String(SILENT_MS) };
    const container = {
      name: 'clients',
      image: IMAGE,
      command: ['node', '/clients/proxy-clients.mjs', mode],
      env: Object.entries(settings).map(([name, value]) => ({ name, value })),
      volumeMounts: [{ name: 'clients', mountPath: '/clients' }],
      ...HARDENED,
    };
    await applyObjects({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: OUTSIDE },
      spec: {
        restartPolicy: 'Never',
        hostAliases: [{ ip: traefik, hostnames: [host] }],
        containers: [container],
        volumes: [{ name: 'clients', configMap: { name: 'clients' } }],
      },
    });
  }

  /** Waits until clients have printed this line. */
  function outputs(name: string, line: string): Promise<void> {
    return eventuallyInCluster(async () => expect((await outside('logs', name)).split('\n')).toContain(line), SETUP_MS);
  }

  const inChat = (script: string) => instance.kubectl('exec', 'deployment/chat', '--', 'node', '-e', script);

  async function comment(text: string): Promise<void> {
    const headers = { 'content-type': 'application/json', origin: 'http://localhost:8000' };
    const request = { method: 'POST', headers, body: JSON.stringify({ name: 'Ada', text }) };
    const script = `fetch('http://localhost:8000/comments', ${JSON.stringify(request)}).then((r) => console.log(r.status))`;
    expect(await inChat(script)).toMatch(/^20/);
  }

  /** Waits until the clients have ended. Returns their result. */
  async function resultOf(name: string) {
    await outside('wait', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=5m', `pod/${name}`);
    return JSON.parse((await outside('logs', name)).split('\n').at(-1) ?? '');
  }

  /** Starts Redis with a password, and makes a volume for the chat in a folder of a node. */
  async function prepareOutside(): Promise<void> {
    const script = readFileSync(new URL('proxy-clients.mjs', import.meta.url), 'utf8');
    const metadata = (name: string) => ({ name, namespace: OUTSIDE });
    await applyObjects(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: OUTSIDE } },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('clients'), data: { 'proxy-clients.mjs': script } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...metadata('redis'), labels: { app: 'redis' } },
        spec: {
          containers: [
            {
              name: 'redis',
              image: 'valkey/valkey:8.1-alpine',
              args: ['valkey-server', '--requirepass', PASSWORD, '--maxmemory-policy', 'noeviction', '--save', ''],
            },
          ],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: metadata('redis'),
        spec: { selector: { app: 'redis' }, ports: [{ port: 6379 }] },
      },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: VOLUME },
        spec: {
          capacity: { storage: '1Gi' },
          accessModes: ['ReadWriteOnce'],
          claimRef: { namespace: NAMESPACE, name: 'chat' },
          local: { path: `${VOLUME_PARENT}/${VOLUME}` },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
              ],
            },
          },
        },
      },
    );
    await outside('wait', '--for=condition=Ready', '--timeout=2m', 'pod/redis');
    await onVolume(`${REMOVE}; fs.mkdirSync(folder)`);
  }

  /** Runs a script on the node that has the volume; `folder` is the folder of the volume. */
  async function onVolume(script: string): Promise<void> {
    await outside('delete', '--ignore-not-found', 'pod/volume');
    await applyObjects({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'volume', namespace: OUTSIDE },
      spec: {
        nodeName: node,
        restartPolicy: 'Never',
        containers: [
          {
            name: 'volume',
            image: IMAGE,
            command: ['node', '-e', `const fs = require('node:fs'); const folder = '/parent/${VOLUME}'; ${script}`],
            securityContext: { runAsUser: 0 },
            volumeMounts: [{ name: 'parent', mountPath: '/parent' }],
          },
        ],
        volumes: [{ name: 'parent', hostPath: { path: VOLUME_PARENT } }],
      },
    });
    await outside('wait', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=2m', 'pod/volume');
  }

  beforeAll(async () => {
    await deleteNamespace(OUTSIDE);
    await deleteNamespace(NAMESPACE);
    await kubectl(['delete', '--ignore-not-found', `persistentvolume/${VOLUME}`]);
    node = await kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}']);
    await prepareOutside();
    traefik = await kubectl(['-n', 'traefik', 'get', 'service', 'traefik', '-o', 'jsonpath={.spec.clusterIP}']);
    using shell = new Shell();
    // The page's commands, for this namespace and this Redis.
    const secrets = readmeExample('sh', 'create secret generic redis')
      .replace('create namespace heliograph', `create namespace ${NAMESPACE}`)
      .replaceAll('-n heliograph', `-n ${NAMESPACE}`)
      .replace('rediss://user:password@redis.example.org:6379', `redis://:${PASSWORD}@redis.${OUTSIDE}:6379`);
    instance = await Instance.start({
      namespace: NAMESPACE,
      overlay: 'k8s/overlays/production',
      changes: CHANGES,
      prepare: () => shell.run(secrets),
    });
  }, SETUP_MS);

  afterAll(async () => {
    await instance?.remove();
    if (instance) await onVolume(REMOVE);
    await deleteNamespace(OUTSIDE, { wait: false });
    await kubectl(['delete', '--ignore-not-found', '--wait=false', `persistentvolume/${VOLUME}`]);
  }, SETUP_MS);

  it(
    'keeps the comments of the chat in its volume',
    async () => {
      await comment('Kept in the volume');
      const [pod = ''] = await instance.podsOf('chat');
      await instance.kubectl('delete', '--wait', pod);
      await instance.rolledOut('chat');
      expect(await inChat("fetch('http://localhost:8000/comments').then((r) => r.text()).then(console.log)")).toContain(
        'Kept in the volume',
      );
    },
    SETUP_MS,
  );

  it(
    'keeps clients connected that are silent for longer than all time-outs, by the Ingress and by the Gateway API',
    async () => {
      const hosts = { 'by-ingress': PUSH_HOST, 'by-gateway': GATEWAY_HOST };
      for (const [name, host] of Object.entries(hosts)) await startClients(name, 'silent', host);
      for (const name of Object.keys(hosts)) await outputs(name, 'silent for long');
      await comment('After a long silence');
      for (const name of Object.keys(hosts)) {
        expect(await resultOf(name), name).toEqual({ silent: connected(0), result: connected(1) });
      }
    },
    SETUP_MS,
  );

  it(
    'passes refusals of full relays on, and keeps sending clients to these relays',
    async () => {
      await startClients('refused', 'refused', PUSH_HOST);
      await outputs('refused', 'connected');
      // A new relay, empty beside the full ones.
      const current = await instance.kubectl('get', 'deployment', 'relay', '-o', 'jsonpath={.spec.replicas}');
      const spec = { spec: { minReplicas: Number(current) + 1 } };
      await instance.kubectl('patch', 'hpa', 'relay', '--patch', JSON.stringify(spec));
      const { first, withTries, without } = await resultOf('refused');
      expect(first).toEqual({ status: 503, code: 'rebalancing', retryAfter: '0' });
      expect(Object.keys(withTries).sort()).toEqual(['200', '503']);
      expect(without).toEqual({ 200: 60 });
    },
    SETUP_MS,
  );
});

describe.skipIf(!inject('cluster').operator)('the production overlay with the Prometheus operator', () => {
  const namespace = 'heliograph-test-operator';

  afterAll(() => deleteNamespace(namespace, { wait: false }), SETUP_MS);

  it("has objects that the operator's schemas accept", async () => {
    await deleteNamespace(namespace);
    await kubectl(['create', 'namespace', namespace]);
    const folder = writeKustomization('k8s/overlays/production-operator', { namespace });
    try {
      const args = ['--dry-run=server', '--validate=strict', '--namespace', namespace, '-o', 'name', '-k', folder];
      const names = (await kubectl(['apply', ...args])).split('\n');
      expect(names.filter((name) => name.includes('monitoring.coreos.com')).sort()).toEqual([
        expect.stringMatching(/^prometheusrule\.monitoring\.coreos\.com\//),
        expect.stringMatching(/^servicemonitor\.monitoring\.coreos\.com\//),
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 120_000);
});
