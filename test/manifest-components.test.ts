import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { problemsOf } from './support/kubernetes-schema.ts';
import {
  containerOf,
  type Manifest,
  OPTIONAL_COMPONENTS,
  ofKind,
  picks,
  renderEdited,
  renderOverlay,
  renderWithComponents,
  workloadsOf,
} from './support/manifests.ts';
import { flowsOf } from './support/network-flows.ts';
import { environmentOf } from './support/pod-environment.ts';

const named = (manifests: readonly Manifest[], name: string): Manifest | undefined =>
  workloadsOf(manifests).find(({ metadata }) => metadata.name === name);
const edit = (file: string, change: (text: string) => string) =>
  writeFileSync(file, change(readFileSync(file, 'utf8')));
const added = (before: readonly string[], after: readonly string[]) => after.filter((flow) => !before.includes(flow));

describe('a component that an operator adds to an overlay', () => {
  const production = renderOverlay('production');

  it.each(OPTIONAL_COMPONENTS)('%s is valid by the schemas of its kinds', (component) => {
    expect(renderWithComponents('production', [component]).flatMap(problemsOf)).toEqual([]);
  });

  it('openshift fixes no user and no group', () => {
    expect(named(production, 'chat')?.spec.template.spec.securityContext).toHaveProperty('fsGroup');
    for (const { spec } of workloadsOf(renderWithComponents('production', ['openshift']))) {
      const { securityContext = {}, containers } = spec.template.spec;
      expect(Object.keys({ ...securityContext, ...containers[0].securityContext })).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(fsGroup|runAsUser|runAsGroup)$/)]),
      );
    }
  });

  it('otlp lets every service reach the collector, and nothing else', () => {
    const manifests = renderWithComponents('production', ['otlp']);
    expect(added(flowsOf(production), flowsOf(manifests))).toEqual(
      ['chat', 'relay', 'webhook'].map((name) => `${name} -> observability:4318`),
    );
  });

  it('chat-stats lets the chat reach Redis, and gives it the address', () => {
    const manifests = renderWithComponents('production', ['chat-stats']);
    expect(added(flowsOf(production), flowsOf(manifests))).toEqual(['chat -> 0.0.0.0/0:6379', 'chat -> ::/0:6379']);
    const { envFrom } = named(manifests, 'chat')?.spec.template.spec.containers[0] ?? {};
    expect(envFrom).toContainEqual({ secretRef: { name: 'redis' } });
  });

  it('prometheus-operator scrapes an outbox that is listed before it once', () => {
    const manifests = renderWithComponents('production', ['outbox', 'prometheus-operator']);
    const outbox = workloadsOf(manifests).find(({ metadata }) => metadata.name === 'outbox');
    const [metrics] = manifests.filter(({ kind, metadata }) => kind === 'Service' && metadata.name === 'metrics');
    expect(outbox?.spec.template.metadata.annotations).toBeUndefined();
    expect(picks({ matchLabels: metrics?.spec.selector }, outbox?.spec.template.metadata.labels)).toBe(true);
  });

  it('outbox lets it reach the webhook and PostgreSQL, and reads the settings that it is given', () => {
    const manifests = renderWithComponents('production', ['outbox']);
    expect(added(flowsOf(production), flowsOf(manifests))).toEqual([
      'monitoring -> outbox:admin',
      'outbox -> 0.0.0.0/0:5432',
      'outbox -> ::/0:5432',
      'outbox -> kube-system/kube-dns:53',
      'outbox -> webhook:8090',
    ]);
    const outbox = named(manifests, 'outbox') as Manifest;
    const webhook = ofKind(manifests, 'NetworkPolicy').find(({ metadata }) => metadata.name === 'from-publishers');
    const [, publishers] = webhook?.spec.ingress[0].from ?? [];
    expect(picks(publishers.podSelector, outbox.spec.template.metadata.labels)).toBe(true);
    const { own, config } = environmentOf(outbox, manifests);
    expect(config).toMatchObject({ webhookUrl: 'http://webhook:8090/webhook', databaseUrl: expect.any(String) });
    const [port] = containerOf(outbox).ports;
    expect([port.containerPort, outbox.spec.template.metadata.annotations['prometheus.io/port']]).toEqual([
      own.adminPort,
      String(own.adminPort),
    ]);
    expect(containerOf(outbox).securityContext).toEqual(
      containerOf(named(production, 'chat') as Manifest).securityContext,
    );
    expect(containerOf(outbox).image).toMatch(/^heliograph:\d/);
  });

  it('webhook-sources gives the webhook the file that its setting names', () => {
    const webhook = named(renderWithComponents('production', ['webhook-sources']), 'webhook') as Manifest;
    const { env, volumeMounts } = containerOf(webhook);
    expect(env).toEqual([{ name: 'WEBHOOK_SOURCES', value: '/etc/heliograph/sources.json' }]);
    expect(volumeMounts).toEqual([{ name: 'sources', mountPath: '/etc/heliograph', readOnly: true }]);
    expect(webhook.spec.template.spec.volumes).toEqual([{ name: 'sources', secret: { secretName: 'sources' } }]);
  });

  it('prometheus-operator labels its objects for kube-prometheus-stack', () => {
    const objects = ofKind(renderOverlay('production-operator'), 'ServiceMonitor', 'PrometheusRule');
    expect(objects.map(({ metadata }) => (metadata as { labels?: unknown }).labels)).toEqual(
      Array(2).fill({ release: 'kube-prometheus-stack' }),
    );
  });

  it('gateway routes what the Ingress routes, and ends no stream by a timeout', () => {
    const manifests = renderWithComponents('production', ['gateway']);
    const portOf = (name: string) =>
      ofKind(manifests, 'Service').find(({ metadata }) => metadata.name === name)?.spec.ports[0].port;
    const [ingress] = ofKind(manifests, 'Ingress') as [Manifest];
    const byIngress = ingress.spec.rules.flatMap(({ host, http }: Manifest) =>
      http.paths.map(({ path, pathType, backend: { service } }: Manifest) =>
        [host, pathType, path, service.name, portOf(service.name)].join(' '),
      ),
    );
    const routes = ofKind(manifests, 'HTTPRoute');
    const byGateway = routes.flatMap(({ spec }) =>
      spec.rules.flatMap(({ matches, backendRefs: [{ name, port }] }: Manifest) =>
        matches.map(({ path }: Manifest) =>
          [spec.hostnames[0], path.type.replace('PathPrefix', 'Prefix'), path.value, name, port].join(' '),
        ),
      ),
    );
    expect(byGateway.sort()).toEqual(byIngress.sort());
    const timeouts = routes.flatMap(({ spec }) =>
      spec.rules
        .filter(({ backendRefs: [{ name }] }: Manifest) => name === 'relay')
        .map((rule: Manifest) => rule.timeouts),
    );
    expect(timeouts).toEqual([{ request: '0s' }]);
    const [gateway] = ofKind(manifests, 'Gateway') as [Manifest];
    for (const { spec } of routes) expect(spec.parentRefs).toEqual([{ name: gateway.metadata.name }]);
    expect(added(flowsOf(production), flowsOf(manifests))).toEqual(
      ['chat', 'relay', 'webhook'].map((name) => `traefik -> ${name}:http`),
    );
  });

  it('host-network-ingress admits the addresses of nodes', () => {
    const manifests = renderWithComponents('production', ['host-network-ingress']);
    expect(added(flowsOf(production), flowsOf(manifests))).toEqual(
      ['chat', 'relay', 'webhook'].map((name) => `192.0.2.0/24 -> ${name}:http`),
    );
  });

  it('hosts writes the names and the Secret of production into every object', () => {
    const text = JSON.stringify(
      renderEdited('production', (folder) => {
        edit(join(folder, 'hosts.yaml'), (hosts) =>
          hosts.replaceAll('example.org', 'heliograph.test').replace('heliograph-tls', 'own-tls'),
        );
        edit(join(folder, 'kustomization.yaml'), (kustomization) =>
          kustomization.replace('components:\n', 'components:\n  - ../../components/gateway\n'),
        );
      }),
    );
    expect(text).not.toMatch(/(push|chat)\.example\.org|heliograph-tls/);
    const count = (value: string) => text.split(value).length - 1;
    // Ingress (rule, TLS), HTTPRoute, and the setting of relay or chat; the Secret in Ingress and Gateway.
    expect(['push.heliograph.test', 'chat.heliograph.test', 'own-tls'].map(count)).toEqual([4, 4, 2]);
  });

  it('keda scales relays by the rules of the autoscaler, which it replaces', () => {
    const [autoscaler] = ofKind(production, 'HorizontalPodAutoscaler') as [Manifest];
    const manifests = renderWithComponents('production', ['keda']);
    expect(ofKind(manifests, 'HorizontalPodAutoscaler')).toEqual([]);
    const [{ spec }] = ofKind(manifests, 'ScaledObject') as [Manifest];
    const [connections, cpu] = autoscaler.spec.metrics;
    expect(spec).toMatchObject({
      scaleTargetRef: { name: 'relay' },
      minReplicaCount: autoscaler.spec.minReplicas,
      maxReplicaCount: autoscaler.spec.maxReplicas,
      triggers: [
        {
          type: 'prometheus',
          metricType: connections.pods.target.type,
          metadata: { threshold: connections.pods.target.averageValue },
        },
        { type: 'cpu', metricType: 'Utilization', metadata: { value: String(cpu.resource.target.averageUtilization) } },
      ],
      advanced: { horizontalPodAutoscalerConfig: { behavior: autoscaler.spec.behavior } },
    });
  });
});

describe('production behind a proxy', () => {
  it('has commented lines that trust it and limit the connections of an address', () => {
    expect(JSON.stringify(renderOverlay('production'))).not.toMatch(/TRUSTED_PROXIES|PER_ADDRESS/);
    const manifests = renderEdited('production', (folder) =>
      edit(join(folder, 'kustomization.yaml'), (text) => text.replaceAll(/^# (configMapGenerator:| {2}.*)$/gm, '$1')),
    );
    const given = workloadsOf(manifests).map((workload) => environmentOf(workload, manifests).given);
    const trusted = { TRUSTED_PROXIES: '10.0.0.0/8' };
    expect(given).toMatchObject([trusted, { ...trusted, MAX_CONNECTIONS_PER_ADDRESS: '1000' }, trusted]);
  });
});
