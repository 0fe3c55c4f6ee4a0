import { describe, expect, it } from 'vitest';
import { type Manifest, ofKind, renderOverlay, renderWithComponents, workloadsOf } from './support/manifests.ts';
import { flowsOf } from './support/network-flows.ts';

const named = (manifests: readonly Manifest[], name: string): Manifest | undefined =>
  workloadsOf(manifests).find(({ metadata }) => metadata.name === name);
const added = (before: readonly string[], after: readonly string[]) => after.filter((flow) => !before.includes(flow));

describe('a component that an operator adds to an overlay', () => {
  const production = renderOverlay('production');

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

  it('prometheus-operator labels its objects for kube-prometheus-stack', () => {
    const objects = ofKind(renderOverlay('production-operator'), 'ServiceMonitor', 'PrometheusRule');
    expect(objects.map(({ metadata }) => (metadata as { labels?: unknown }).labels)).toEqual(
      Array(2).fill({ release: 'kube-prometheus-stack' }),
    );
  });
});
