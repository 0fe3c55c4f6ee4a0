import { readdirSync, readFileSync } from 'node:fs';
import { join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { problemsOf } from './support/kubernetes-schema.ts';
import {
  containerOf,
  isRole,
  type Manifest,
  OPTIONAL_COMPONENTS,
  OVERLAYS,
  ofKind,
  picks,
  renderOverlay,
  workloadsOf,
} from './support/manifests.ts';
import { environmentOf, FOREIGN_SECRETS } from './support/pod-environment.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const VERSION: string = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Every file that a kustomization leads to, with itself, as paths within the repository. */
function reachedFrom(folder: string): string[] {
  const file = join(folder, 'kustomization.yaml');
  const { resources = [], components = [], patches = [] } = parse(read(file));
  const named: string[] = [
    ...resources,
    ...components,
    ...patches.flatMap(({ path }: { path?: string }) => path ?? []),
  ];
  const paths = named.map((path) => normalize(join(folder, path)));
  return [file, ...paths.flatMap((path) => (path.endsWith('.yaml') ? path : reachedFrom(path)))];
}

describe('the manifests', () => {
  it('are all used by an overlay or the load test', () => {
    const files = readdirSync(join(ROOT, 'k8s'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
    const reached = new Set(
      [
        ...OVERLAYS.map((overlay) => `k8s/overlays/${overlay}`),
        ...OPTIONAL_COMPONENTS.map((name) => `k8s/components/${name}`),
        'k8s/load-test',
      ].flatMap(reachedFrom),
    );
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => !reached.has(file))).toEqual([]);
  });

  it('have the image tag in one place', () => {
    const files = readdirSync(join(ROOT, 'k8s'), { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.yaml'),
    );
    const tags = files.flatMap((file) =>
      [...read(join('k8s', file)).matchAll(/newTag: *(\S+)|image: *heliograph:(\S+)/g)].map(
        ([, newTag, tag]) => `${file}: ${newTag ?? tag}`,
      ),
    );
    expect(tags).toEqual([`components/image/kustomization.yaml: ${VERSION}`]);
  });

  it('give the reason for every number', () => {
    const files = readdirSync(join(ROOT, 'k8s'), { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.yaml'),
    );
    const unexplained = files.flatMap((file) => {
      let explained = false; // by a comment above, which may be for several lines
      return read(join('k8s', file))
        .split('\n')
        .filter((line) => {
          const isNumber = /(: |\w=)"?\d+([A-Za-z]{1,2})?"?$/.test(line) && !/[Pp]ort"?: /.test(line);
          explained = line.includes('#') || (explained && isNumber);
          return isNumber && !explained;
        })
        .map((line) => `${file}: ${line.trim()}`);
    });
    expect(unexplained).toEqual([]);
  });

  it('are checked by a schema that rejects mistakes', () => {
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: 80 }] } };
    expect(problemsOf(service)).toEqual([]);
    expect(problemsOf({ ...service, spec: { ports: [{ port: '80' }] } } as never)).toHaveLength(1);
    expect(problemsOf({ ...service, spec: { ports: [{ port: 80, prot: 'TCP' }] } } as never)).toEqual([
      '/spec/ports/0/prot is a field that no schema knows',
    ]);
    expect(problemsOf({ ...service, kind: 'Servize' })).toHaveLength(1);
  });
});

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  const manifests = renderOverlay(overlay);
  const workloads = workloadsOf(manifests);
  const ours = workloads.filter((workload) => isRole(containerOf(workload).args?.[0]));
  const names = (...kinds: string[]) => ofKind(manifests, ...kinds).map(({ metadata }) => metadata.name);
  const behind = (service: Manifest) =>
    workloads.filter(({ spec }) => picks({ matchLabels: service.spec.selector }, spec.template.metadata.labels));

  it('is valid by the schemas of Kubernetes and of the Prometheus operator', () => {
    const problems = manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, problemsOf(manifest)]);
    expect(problems.filter(([, list]) => list?.length !== 0)).toEqual([]);
  });

  it('has relays, webhooks and the chat, all in one namespace', () => {
    expect(ours.map((workload) => containerOf(workload).args)).toEqual([['chat'], ['relay'], ['webhook']]);
    const spaces = manifests.filter(({ kind }) => kind !== 'Namespace').map(({ metadata }) => metadata);
    expect(new Set(spaces.map((metadata) => (metadata as { namespace?: string }).namespace))).toEqual(
      new Set(names('Namespace')),
    );
  });

  it('uses only images with a fixed version', () => {
    for (const workload of workloads) {
      const { image } = containerOf(workload);
      expect(image).toMatch(/:\d+(\.\d+)+[a-z0-9.-]*$/);
      if (ours.includes(workload))
        expect(image).toMatch(new RegExp(`(^|/)heliograph:${VERSION.replaceAll('.', '\\.')}$`));
    }
  });

  it('refers only to objects that exist', () => {
    for (const { spec } of workloads) {
      const pod = spec.template.spec;
      expect(names('ServiceAccount')).toContain(pod.serviceAccountName);
      for (const { persistentVolumeClaim } of pod.volumes ?? []) {
        if (persistentVolumeClaim) expect(names('PersistentVolumeClaim')).toContain(persistentVolumeClaim.claimName);
      }
      for (const { configMapRef, secretRef } of pod.containers[0].envFrom ?? []) {
        if (configMapRef) expect(names('ConfigMap')).toContain(configMapRef.name);
        if (secretRef && !secretRef.optional)
          expect([...names('Secret'), ...Object.keys(FOREIGN_SECRETS)]).toContain(secretRef.name);
      }
    }
    for (const { spec } of ofKind(manifests, 'HorizontalPodAutoscaler')) {
      expect(names(spec.scaleTargetRef.kind)).toContain(spec.scaleTargetRef.name);
    }
    for (const { spec } of ofKind(manifests, 'Ingress')) {
      for (const { service } of spec.rules
        .flatMap(({ http }: Manifest) => http.paths)
        .map(({ backend }: Manifest) => backend)) {
        const target = ofKind(manifests, 'Service').find(({ metadata }) => metadata.name === service.name);
        expect(target?.spec.ports.map(({ name }: { name: string }) => name)).toContain(service.port.name);
      }
    }
    expect(overlay === 'local' ? names('Secret') : []).toHaveLength(overlay === 'local' ? 4 : 0);
  });

  it('has services that select pods with that port', () => {
    for (const service of ofKind(manifests, 'Service')) {
      const pods = behind(service);
      expect(pods.length, service.metadata.name).toBeGreaterThan(0);
      for (const pod of pods) {
        const ports: string[] = containerOf(pod).ports.map(({ name }: { name: string }) => name);
        for (const { targetPort } of service.spec.ports) expect(ports).toContain(targetPort);
      }
    }
  });

  it('passes each role valid settings that it knows', () => {
    for (const workload of ours) {
      const { given, names: known } = environmentOf(workload, manifests);
      expect(Object.keys(given).filter((name) => !known.includes(name))).toEqual([]);
    }
  });

  it('runs one relay process per pod', () => {
    const relay = ours.find((workload) => containerOf(workload).args[0] === 'relay');
    expect(relay && environmentOf(relay, manifests).config).toMatchObject({ processes: 1 });
  });

  it('declares the ports that the roles listen on', () => {
    for (const workload of ours) {
      const { own, config } = environmentOf(workload, manifests);
      const container = containerOf(workload);
      const role: string = container.args[0];
      const { port } = (config as unknown as Record<string, { port: number }>)[role] ?? { port: 0 };
      expect(container.ports).toEqual([
        { name: 'http', containerPort: port },
        { name: 'admin', containerPort: own.adminPort },
      ]);
      // With the operator, a ServiceMonitor names the same ports: both would make two series of each.
      expect(workload.spec.template.metadata.annotations).toEqual(
        ofKind(manifests, 'ServiceMonitor').length > 0
          ? undefined
          : {
              'prometheus.io/scrape': 'true',
              'prometheus.io/port': String(own.adminPort),
              'prometheus.io/path': '/metrics',
            },
      );
      const services = ofKind(manifests, 'Service').filter(
        (service) => behind(service).length === 1 && behind(service)[0] === workload,
      );
      expect(services.map(({ spec }) => spec.ports)).toEqual([[{ name: 'http', port, targetPort: 'http' }]]);
    }
  });

  it('lets the chat call the webhook, and its pages reach the relays', () => {
    const of = (role: string) => {
      const workload = ours.find((candidate) => containerOf(candidate).args[0] === role);
      if (!workload) throw new Error(`there is no ${role}`);
      return environmentOf(workload, manifests);
    };
    const { chat } = of('chat').config as { chat: { webhookUrl: string; relayUrl?: string } };
    const webhook = new URL(chat.webhookUrl);
    expect(names('Service')).toContain(webhook.hostname);
    const [ingress] = ofKind(manifests, 'Ingress');
    if (!ingress) return expect(chat.relayUrl).toBeUndefined(); // the page's own host: localhost
    const hostOf = (service: string) =>
      ingress.spec.rules.find(({ http }: Manifest) =>
        http.paths.some(({ path, backend }: Manifest) => path === '/' && backend.service.name === service),
      )?.host;
    expect(chat.relayUrl).toBe(`https://${hostOf('relay')}`);
    expect(of('relay').given.ALLOWED_ORIGINS).toBe(`https://${hostOf('chat')}`);
    expect(ingress.spec.tls.flatMap(({ hosts }: { hosts: string[] }) => hosts)).toEqual(
      ingress.spec.rules.map(({ host }: { host: string }) => host),
    );
  });
});
