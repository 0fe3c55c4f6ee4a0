import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kubectl } from './kubectl.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Prints the connections that a relay has. */
const PRINT_CONNECTIONS = `
  fetch('http://localhost:9101/metrics').then((r) => r.text()).then((text) => {
    const counts = [...text.matchAll(/^relay_connections\\{.*\\} (\\d+)$/gm)].map(([, count]) => Number(count));
    console.log(counts.reduce((sum, count) => sum + count, 0));
  });
`;

/** Changes of a test to an overlay: fields of a kustomization. */
export interface Changes {
  readonly patches?: readonly object[];
  /** Folders of components. */
  readonly components?: readonly string[];
  readonly [field: string]: unknown;
}

/** Several instances run at a time on small nodes: their pods share the CPU instead of reserving it. */
export const SHARE_CPU = {
  target: { kind: 'Deployment' },
  patch: JSON.stringify([
    { op: 'replace', path: '/spec/template/spec/containers/0/resources/requests/cpu', value: '20m' },
  ]),
};

/** Writes a kustomization that adds these changes to an overlay. Returns its folder, which the caller removes. */
export function writeKustomization(overlay: string, changes: Changes): string {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-kubernetes-'));
  // kustomize takes folders by relative paths only, and compares them without links.
  const from = realpathSync(folder);
  const toRelative = (path: string) => relative(from, realpathSync(resolve(ROOT, path)));
  const { components = [] } = changes;
  const kustomization = { ...changes, resources: [toRelative(overlay)], components: components.map(toRelative) };
  writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
  return folder;
}

/** The instance of Heliograph in a namespace. `start` makes one, in a namespace of its own, which `remove` deletes. */
export class Instance {
  readonly namespace: string;

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  /**
   * Deletes what an earlier run has left in the namespace, applies the overlay to it, and waits until it is available.
   * `prepare` runs before, without a namespace.
   */
  static async start(options: {
    namespace: string;
    overlay?: string;
    changes?: Changes;
    prepare?: () => Promise<unknown>;
  }): Promise<Instance> {
    const { namespace, overlay = 'k8s/overlays/local', changes = {} } = options;
    await deleteNamespace(namespace);
    await options.prepare?.();
    const instance = new Instance(namespace);
    await instance.apply(overlay, changes);
    await instance.kubectl('wait', '--for=condition=Available', '--timeout=4m', 'deployment', '--all');
    return instance;
  }

  /** Applies an overlay to the namespace. `selector` picks among its objects by their labels. */
  async apply(overlay: string, changes: Changes = {}, selector?: string): Promise<void> {
    const patches = [SHARE_CPU, ...(changes.patches ?? [])];
    const folder = writeKustomization(overlay, { ...changes, patches, namespace: this.namespace });
    try {
      await kubectl(['apply', '-k', folder, ...(selector ? ['--selector', selector] : [])]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return kubectl(['-n', this.namespace, ...args]);
  }

  /** Returns the names of the pods of a component, as `pod/<name>`. */
  async podsOf(component: string): Promise<readonly string[]> {
    const selector = `app.kubernetes.io/component=${component}`;
    return (await this.kubectl('get', 'pods', '-l', selector, '-o', 'name')).split('\n').filter(Boolean);
  }

  async rolledOut(...deployments: readonly string[]): Promise<void> {
    for (const name of deployments) {
      await this.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=5m');
    }
  }

  /** Restarts Deployments one pod at a time. Returns when all pods that were replaced are gone. */
  async restart(...deployments: readonly string[]): Promise<void> {
    const replaced = await this.podsOf('relay');
    await this.kubectl('rollout', 'restart', ...deployments.map((name) => `deployment/${name}`));
    await this.rolledOut(...deployments);
    // The last relay still drains when its successor is available.
    if (deployments.includes('relay')) await this.kubectl('wait', '--for=delete', '--timeout=2m', ...replaced);
  }

  /** Returns the relays with their numbers of connections, the one with the most first. */
  async relayConnections(): Promise<readonly { pod: string; connections: number }[]> {
    const relays = (await this.podsOf('relay')).map(async (pod) => ({
      pod,
      connections: Number(await this.kubectl('exec', pod, '--', 'node', '-e', PRINT_CONNECTIONS)),
    }));
    return (await Promise.all(relays)).toSorted((a, b) => b.connections - a.connections);
  }

  /** Returns the relay with the most connections. */
  async busiestRelay(): Promise<string> {
    return (await this.relayConnections())[0]?.pod ?? '';
  }

  remove(): Promise<void> {
    return deleteNamespace(this.namespace, { wait: false });
  }
}

/** Deletes a namespace of the tests with all that it has. */
export async function deleteNamespace(namespace: string, { wait = true } = {}): Promise<void> {
  await kubectl(['delete', 'namespace', '--ignore-not-found', `--wait=${wait}`, namespace]);
}
