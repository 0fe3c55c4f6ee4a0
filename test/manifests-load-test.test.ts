import { describe, expect, it } from 'vitest';
import type { LoadtestOptions } from '../services/loadtest/options/options.ts';
import { parseOptions } from '../services/loadtest/options/parse-options.ts';
import { fitPlan } from '../services/loadtest/plan/fit-plan.ts';
import { problemsOf } from './support/kubernetes-schema.ts';
import { containerOf, type Manifest, ofKind, renderFolder, renderOverlay, workloadsOf } from './support/manifests.ts';
import { flowsOf } from './support/network-flows.ts';

const MIB = 1024 ** 2;
/** What it may take to begin and to report, in seconds. */
const MARGIN_S = 60;

describe('the load test in a cluster', () => {
  const manifests = renderFolder('k8s/load-test');
  const cluster = renderOverlay('local');
  const [job] = ofKind(manifests, 'Job') as [Manifest];
  const { spec } = job;
  const pod = spec.template.spec;
  const container = containerOf(job);
  const options = parseOptions(container.args.slice(1)) as LoadtestOptions;

  it('is valid by the schemas of Kubernetes, and runs the same image', () => {
    expect(manifests.flatMap((manifest) => problemsOf(manifest))).toEqual([]);
    const images = workloadsOf(cluster).map((workload) => containerOf(workload).image);
    expect(images).toContain(container.image);
    expect(container.args[0]).toBe('loadtest');
  });

  it('fits the profile "restricted", without a service account token', () => {
    expect(container.securityContext).toEqual({
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
    expect(ofKind(manifests, 'ServiceAccount')).toMatchObject([
      { metadata: { name: pod.serviceAccountName }, automountServiceAccountToken: false },
    ]);
    expect(options).toMatchObject({ htmlFile: undefined, jsonFile: undefined }); // there is nowhere to write
  });

  it('reaches existing services, with a valid token', () => {
    const services = ofKind(cluster, 'Service').map(
      (service) => `${service.metadata.name}:${service.spec.ports[0].port}`,
    );
    const urls = [
      ...(options.cluster?.relays.map(({ authority }) => authority) ?? []),
      new URL(options.cluster?.webhookUrl ?? '').host,
    ];
    expect(urls).toEqual(['relay:8080', 'webhook:8090']);
    expect(services).toEqual(expect.arrayContaining(urls));
    const secret = (name: RegExp, all: readonly Manifest[]) => {
      const found = ofKind(all, 'Secret').find(({ metadata }) => name.test(metadata.name));
      return Object.values<string>(found?.data ?? {}).map((value) => Buffer.from(value, 'base64').toString());
    };
    expect(secret(/^load-test-/, manifests)).toEqual(secret(/^webhook-/, cluster));
    expect(container.envFrom).toEqual([{ secretRef: { name: ofKind(manifests, 'Secret')[0]?.metadata.name } }]);
  });

  it('adds only the network flows that it needs', () => {
    const before = flowsOf(cluster);
    const added = flowsOf([...cluster, ...manifests]).filter((flow) => !before.includes(flow));
    expect(added).toEqual([
      'load-test -> kube-system/kube-dns:53',
      'load-test -> relay:8080',
      'load-test -> relay:http',
      'load-test -> webhook:8090',
    ]);
    expect(spec.template.metadata.labels).toMatchObject({ 'heliograph-publisher': 'true' });
  });

  it('runs once, and reports before its deadline', () => {
    expect(spec).toMatchObject({ backoffLimit: 0, completions: 1, parallelism: 1 });
    expect(pod.restartPolicy).toBe('Never');
    const latestS = (options.rampMs + options.durationMs) / 1000 + 30;
    expect(spec.activeDeadlineSeconds).toBe(latestS + MARGIN_S);
    expect(options.maxTimeMs / 1000).toBeGreaterThan(latestS);
    expect(options.maxTimeMs / 1000).toBeLessThan(spec.activeDeadlineSeconds);
  });

  it('fits into its memory, open files and ports', () => {
    const { requests, limits } = container.resources;
    expect(limits.memory).toBe('512Mi');
    expect(requests.memory).toBe('256Mi');
    const machine = {
      cpus: 1,
      memoryBytes: 512 * MIB,
      availableBytes: (256 - 70) * MIB, // of what is asked for, beside the process that looks after the others
      filesPerProcess: 65_536,
      files: Number.POSITIVE_INFINITY,
      ports: 28_232,
      trackedConnections: Number.POSITIVE_INFINITY,
      tcpPages: Number.POSITIVE_INFINITY,
    };
    const relays = options.cluster?.relays ?? [];
    expect(fitPlan(options, machine, { relays, hasRedis: false }).refusal).toBeUndefined();
  });

  it('uses at most a quarter of what one relay is sized for', () => {
    expect(options.clients).toBe(20_000 / 4);
  });
});
