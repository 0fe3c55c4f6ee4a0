import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, stringify } from 'yaml';
import { readChatConfig } from '../../services/chat/config.ts';
import { readOutboxConfig } from '../../services/outbox/config.ts';
import { readRelayProcessConfig } from '../../services/relay/config.ts';
import { type Environment, EnvReader } from '../../services/shared/config/env-reader.ts';
import { readProcessConfig } from '../../services/shared/config/process-config.ts';
import { readRedisConfig } from '../../services/shared/config/redis-config.ts';
import { readStatsConfig } from '../../services/stats/config.ts';
import { readWebhookProcessConfig } from '../../services/webhook/config.ts';
import { findProgram } from './find-program.ts';
import type { KubernetesObject } from './kubernetes-schema.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A document as rendered. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
export type Manifest = KubernetesObject & Readonly<Record<string, any>>;

/** The overlays there are, by name. */
export const OVERLAYS: readonly string[] = readdirSync(`${ROOT}k8s/overlays`);

/** The components that no overlay has: an operator adds them. */
export const OPTIONAL_COMPONENTS = [
  'chat-stats',
  'gateway',
  'host-network-ingress',
  'keda',
  'openshift',
  'otlp',
  'outbox',
  'webhook-sources',
] as const;

/** What `kubectl apply -k` would send for an overlay. */
export function renderOverlay(overlay: string): readonly Manifest[] {
  return renderFolder(`k8s/overlays/${overlay}`);
}

/** The same for any folder. */
export function renderFolder(folder: string): readonly Manifest[] {
  return render(`${ROOT}${folder}`);
}

function render(folder: string): readonly Manifest[] {
  const kubectl = findProgram('kubectl', 'kubernetes-client');
  const text = execFileSync(kubectl, ['kustomize', folder], { encoding: 'utf8' });
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** Renders an overlay with more components of `k8s/components`, as the kustomization of an operator would. */
export function renderWithComponents(overlay: string, components: readonly string[]): readonly Manifest[] {
  return inTemporaryFolder((folder) => {
    const path = (name: string) => relative(folder, join(ROOT, 'k8s', name));
    const kustomization = {
      resources: [path(`overlays/${overlay}`)],
      components: components.map((name) => path(`components/${name}`)),
    };
    writeFileSync(join(folder, 'kustomization.yaml'), stringify(kustomization));
    return render(folder);
  });
}

/** Renders an overlay in a copy of the manifests that `edit`, called with the path of the overlay, has changed. */
export function renderEdited(overlay: string, edit: (folder: string) => void): readonly Manifest[] {
  return inTemporaryFolder((folder) => {
    cpSync(join(ROOT, 'k8s'), join(folder, 'k8s'), { recursive: true });
    const edited = join(folder, 'k8s/overlays', overlay);
    edit(edited);
    return render(edited);
  });
}

function inTemporaryFolder<T>(use: (folder: string) => T): T {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'heliograph-kustomize-')));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The documents of a kind. */
export function ofKind(manifests: readonly Manifest[], ...kinds: readonly string[]): Manifest[] {
  return manifests.filter(({ kind }) => kinds.includes(kind));
}

/** What runs pods. */
export function workloadsOf(manifests: readonly Manifest[]): Manifest[] {
  return ofKind(manifests, 'Deployment', 'StatefulSet', 'Job');
}

/** A workload's only container. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
export function containerOf(workload: Manifest): any {
  const [container, ...others] = workload.spec.template.spec.containers;
  if (others.length > 0) throw new Error(`${workload.metadata.name} has more than one container`);
  return container;
}

/** Whether a selector picks pods with these labels; an empty one picks all. */
export function picks(
  // biome-ignore lint/suspicious/noExplicitAny: as rendered
  selector: any,
  labels: Readonly<Record<string, string>>,
): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  for (const { operator } of matchExpressions) {
    if (operator !== 'In') throw new Error(`the tests do not know the operator ${operator}`);
  }
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, values }: { key: string; values: string[] }) => values.includes(labels[key] ?? ''))
  );
}

/** How each role reads its environment, the process's own settings among it, and its admin port. */
const ROLES = {
  relay: {
    read: (env: EnvReader) => ({ ...readRelayProcessConfig(env), stats: readStatsConfig(env) }),
    adminPort: 9101,
  },
  webhook: {
    read: (env: EnvReader) => ({ ...readWebhookProcessConfig(env), stats: readStatsConfig(env) }),
    adminPort: 9102,
  },
  chat: {
    read: (env: EnvReader) => ({ chat: readChatConfig(env), stats: readStatsConfig(env), redis: readRedisConfig(env) }),
    adminPort: 9103,
  },
  outbox: {
    read: readOutboxConfig,
    adminPort: 9104,
  },
} as const;

export type Role = keyof typeof ROLES;

/** Whether a workload runs one of our roles. */
export function isRole(name: string | undefined): name is Role {
  return Object.hasOwn(ROLES, name ?? '');
}

/** Reads an environment as a role does; throws a `ConfigError` where that would not start. */
export function readAsRole<R extends Role>(role: R, environment: Environment) {
  const reader = new EnvReader(environment);
  const own = readProcessConfig(reader, { adminPort: ROLES[role].adminPort });
  const config = ROLES[role].read(reader) as ReturnType<(typeof ROLES)[R]['read']>;
  reader.finish();
  return { own, config, names: reader.settings().map(({ name }) => name) };
}
