import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  containerOf,
  isRole,
  type Manifest,
  OVERLAYS,
  ofKind,
  picks,
  renderOverlay,
  workloadsOf,
} from './support/manifests.ts';
import { flowsOf } from './support/network-flows.ts';
import { environmentOf } from './support/pod-environment.ts';

/** Seconds from the end of the drain to the kill: the rest of SHUTDOWN_TIMEOUT, and 5 s more. */
const GRACE_MARGIN_S = 20;
/** Seconds from the time at which a process must have exited to the kill. */
const LAST_MARGIN_S = 5;

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  const manifests = renderOverlay(overlay);
  const workloads = workloadsOf(manifests);
  const pods = workloads.map(({ metadata, spec }) => ({ name: metadata.name, pod: spec.template.spec }));
  const relay = workloads.find(({ metadata }) => metadata.name === 'relay') as Manifest;
  const autoscaler = ofKind(manifests, 'HorizontalPodAutoscaler').find(
    ({ spec }) => spec.scaleTargetRef.name === 'relay',
  );
  const replicasOf = ({ metadata, spec }: Manifest): number => {
    const scaled = ofKind(manifests, 'HorizontalPodAutoscaler').find(
      (candidate) => candidate.spec.scaleTargetRef.name === metadata.name,
    );
    return scaled ? scaled.spec.minReplicas : spec.replicas;
  };

  it('makes the cluster refuse pods outside of the profile "restricted"', () => {
    expect(ofKind(manifests, 'Namespace').map(({ metadata }) => metadata)).toMatchObject([
      { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    ]);
  });

  it.each(pods)('$name is within the profile "restricted", with a root that nobody writes', ({ name, pod }) => {
    // https://kubernetes.io/docs/concepts/security/pod-security-standards/
    for (const key of ['hostNetwork', 'hostPID', 'hostIPC', 'hostUsers']) expect(pod).not.toHaveProperty(key);
    expect(pod.securityContext ?? {}).not.toHaveProperty('sysctls');
    expect(pod.securityContext?.runAsUser, name).not.toBe(0);
    expect(pod.initContainers ?? []).toEqual([]);
    for (const volume of pod.volumes ?? []) {
      expect(['configMap', 'emptyDir', 'persistentVolumeClaim', 'projected', 'secret']).toContain(
        Object.keys(volume).find((key) => key !== 'name'),
      );
    }
    for (const { securityContext, ports } of pod.containers) {
      expect(securityContext).toEqual({
        runAsNonRoot: true,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const port of ports) expect(port).not.toHaveProperty('hostPort');
    }
  });

  it('gives no pod a service account token, nor variables that collide with settings', () => {
    for (const { pod } of pods) {
      expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    }
    for (const account of ofKind(manifests, 'ServiceAccount')) {
      expect(account.automountServiceAccountToken).toBe(false);
    }
  });

  it.each(pods)('$name is probed, on ports that it has', ({ name, pod }) => {
    const [container] = pod.containers;
    const { startupProbe, livenessProbe, readinessProbe, ports } = container;
    const paths = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe.httpGet?.path);
    if (isRole(container.args[0])) expect(paths, name).toEqual(['/livez', '/livez', '/readyz']);
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
      expect(ports.map((port: Manifest) => port.name)).toContain((probe.httpGet ?? probe.tcpSocket).port);
    }
    // Being slow is not being dead, and starting takes longer where a node starts many pods.
    expect(livenessProbe.periodSeconds * livenessProbe.failureThreshold).toBeGreaterThanOrEqual(30);
    expect(startupProbe.periodSeconds * startupProbe.failureThreshold).toBeGreaterThanOrEqual(60);
  });

  it.each(pods)('$name asks for CPU and memory, and has an end to its memory only', ({ pod }) => {
    const { requests, limits } = pod.containers[0].resources;
    expect(requests.cpu).toMatch(/^\d+m$/);
    expect(bytesOf(requests.memory)).toBeLessThanOrEqual(bytesOf(limits.memory));
    expect(Object.keys(limits)).toEqual(['memory']);
  });

  it('lets a drain of nodes evict pods, but never all of a kind', () => {
    const budgets = ofKind(manifests, 'PodDisruptionBudget');
    for (const workload of workloads) {
      const own = budgets.filter(({ spec }) => picks(spec.selector, workload.spec.template.metadata.labels));
      const replicas = replicasOf(workload);
      expect(own, `${workload.metadata.name} with ${replicas} replicas`).toHaveLength(replicas > 1 ? 1 : 0);
      for (const { spec } of own) {
        expect(spec.maxUnavailable).toBeGreaterThan(0);
        expect(spec.maxUnavailable).toBeLessThan(replicas);
      }
    }
    expect(budgets).toHaveLength(2);
  });

  it('gives a relay the time to drain: wait + window + margin', () => {
    const { own, config } = environmentOf(relay, manifests);
    const [waitS, timeoutS] = [own.drainWaitMs / 1000, own.shutdownTimeoutMs / 1000];
    const windowS = (config as { relay: { drainWindowMs: number } }).relay.drainWindowMs / 1000;
    const graceS: number = relay.spec.template.spec.terminationGracePeriodSeconds;
    expect(graceS).toBe(waitS + windowS + GRACE_MARGIN_S);
    // The process ends by itself and says why, before it is killed.
    expect(timeoutS).toBeGreaterThan(windowS);
    expect(graceS).toBe(waitS + timeoutS + LAST_MARGIN_S);
    // One drains at a time, and proxies see it begin.
    expect(relay.spec.minReadySeconds).toBe(waitS + windowS);
    expect(relay.spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    const { periodSeconds, failureThreshold } = containerOf(relay).readinessProbe;
    expect(periodSeconds * failureThreshold).toBeLessThan(waitS);
  });

  it('moves as many clients a second in the drain of a node as deploy/README.md says', () => {
    if (!autoscaler) return expect(overlay).toBe('local');
    const { drainWindowMs, admission } = (
      environmentOf(relay, manifests).config as {
        relay: { drainWindowMs: number; admission: { connectionPointsPerSecond: number } };
      }
    ).relay;
    const clients = Number(autoscaler.spec.metrics[0].pods.target.averageValue);
    const perSecond = Math.round(clients / (drainWindowMs / 1000));
    const [whole, admitted] = [clients, admission.connectionPointsPerSecond].map((n) => n.toLocaleString('en-US'));
    const page = readFileSync(new URL('../deploy/README.md', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');
    expect(page).toContain(
      `with ${whole} clients a relay, ${perSecond} reconnects a second for each relay of the node`,
    );
    expect(page).toContain(`of the ${admitted} a second (\`CONNECTION_RATE\`)`);
  });

  it.each(['webhook', 'chat'])('gives a %s the time to end by itself, after proxies know that it goes', (name) => {
    const workload = workloads.find(({ metadata }) => metadata.name === name) as Manifest;
    const { own } = environmentOf(workload, manifests);
    const [waitS, timeoutS] = [own.drainWaitMs / 1000, own.shutdownTimeoutMs / 1000];
    const { periodSeconds, failureThreshold } = containerOf(workload).readinessProbe;
    expect(periodSeconds * failureThreshold).toBeLessThan(waitS);
    expect(workload.spec.template.spec.terminationGracePeriodSeconds).toBe(waitS + timeoutS + LAST_MARGIN_S);
  });

  it('spreads relays and webhooks over machines and zones', () => {
    for (const { metadata, spec } of workloads.filter((workload) => replicasOf(workload) > 1)) {
      const { topologySpreadConstraints: constraints = [] } = spec.template.spec;
      expect(
        constraints.map(({ topologyKey }: { topologyKey: string }) => topologyKey),
        metadata.name,
      ).toEqual(['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
      for (const { labelSelector, matchLabelKeys } of constraints) {
        expect(picks(labelSelector, spec.template.metadata.labels)).toBe(true);
        expect(matchLabelKeys).toEqual(['pod-template-hash']);
      }
    }
  });

  it('scales relays up by connections or CPU, and down slowly', () => {
    if (overlay === 'local') return expect(autoscaler).toBeUndefined();
    const { metrics, behavior, minReplicas, maxReplicas } = autoscaler?.spec ?? {};
    const { config } = environmentOf(relay, manifests);
    const { maxConnections } = (config as { relay: { admission: { maxConnections: number } } }).relay.admission;
    expect(metrics.map(({ type }: { type: string }) => type)).toEqual(['Pods', 'Resource']);
    expect(metrics[0].pods.metric.name).toBe('relay_connections');
    expect(Number(metrics[0].pods.target.averageValue)).toBe(maxConnections / 2);
    expect(relay.spec).not.toHaveProperty('replicas'); // each `kubectl apply` would set them back
    expect(minReplicas).toBeGreaterThan(2);
    expect(maxReplicas).toBeGreaterThan(minReplicas);
    const [policy] = behavior.scaleDown.policies;
    expect(policy).toMatchObject({ type: 'Pods', value: 1 });
    expect(policy.periodSeconds).toBeGreaterThan(relay.spec.template.spec.terminationGracePeriodSeconds);
    expect(behavior.scaleDown.stabilizationWindowSeconds).toBeGreaterThan(policy.periodSeconds);
  });

  it('allows only the network flows that are needed', () => {
    const outside =
      overlay === 'local'
        ? { redis: ['redis:6379'], fromIngress: [] }
        : {
            redis: ['0.0.0.0/0:6379', '::/0:6379'],
            fromIngress: ['chat', 'relay', 'webhook'].map((name) => `haproxy-controller -> ${name}:http`),
          };
    expect(flowsOf(manifests)).toEqual(
      [
        // out of each pod
        ...pods.map(({ name }) => `${name} -> kube-system/kube-dns:53`),
        ...['relay', 'webhook'].flatMap((name) => outside.redis.map((target) => `${name} -> ${target}`)),
        'chat -> webhook:8090',
        // into each pod
        ...outside.fromIngress,
        ...(overlay === 'local' ? ['relay -> redis:redis', 'webhook -> redis:redis'] : []),
        ...['chat', 'relay', 'webhook'].map((name) => `monitoring -> ${name}:admin`),
        'chat -> webhook:http',
        '*/heliograph-publisher -> webhook:http',
      ].sort(),
    );
  });

  it('has a longer idle timeout for WebSockets than the relay', () => {
    const { config } = environmentOf(relay, manifests);
    const { stuckTimeoutMs } = (config as { relay: { stuckTimeoutMs: number } }).relay;
    for (const { metadata } of ofKind(manifests, 'Ingress')) {
      const { annotations } = metadata as unknown as { annotations: Record<string, string> };
      const timeouts = Object.entries(annotations).filter(([name]) => name.includes('timeout'));
      expect(timeouts.map(([name]) => name.split('/')[0])).toEqual(Array(2).fill('nginx.ingress.kubernetes.io'));
      for (const [, value] of timeouts) expect(Number.parseInt(value, 10) * 1000).toBeGreaterThan(stuckTimeoutMs);
    }
  });
});

function bytesOf(quantity: string): number {
  const [, number, unit] = /^(\d+)([MG]i)$/.exec(quantity) ?? [];
  return Number(number) * (unit === 'Gi' ? 1024 ** 3 : 1024 ** 2);
}
